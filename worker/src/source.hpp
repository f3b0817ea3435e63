// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "common/wire/handoff.hpp"

#include <system_error>

namespace usher::worker {

/// A connection as it comes in, before it is an Asio socket.
struct IncomingConnection {
    sys::UniqueFd fd;
    wire::HandoffRecord record;
};

/// What an Inlet draws from.
class Source {
public:
    virtual ~Source() = default;

    /// True if take() has a connection without asking the kernel.
    [[nodiscard]] virtual bool has_buffered() const noexcept = 0;

    /// Closes what is buffered.
    virtual void drop_buffered() noexcept = 0;

    /// The next connection of `socket`.  operation_would_block: none now; too_many_files_open: it
    /// must wait for free descriptors; MessageError::peer_closed: no more will come.
    [[nodiscard]] virtual std::error_code take(int socket, IncomingConnection& connection) = 0;
};

} // namespace usher::worker
