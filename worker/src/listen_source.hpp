// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/socket_address.hpp"
#include "source.hpp"
#include "usher/worker/acceptor.hpp"

#include <cstdint>

namespace usher::worker {

/// A socket that listens, and where.
struct FallbackListener {
    sys::SocketAddress address; ///< with the real port
    sys::UniqueFd socket;
};

/// Opens it.  Throws std::system_error or std::invalid_argument with the address in its message.
[[nodiscard]] FallbackListener open_fallback_listener(const Options& options);

/// Connections of a listening socket of our own, for a worker that runs without a master.
class ListenSource final : public Source {
public:
    [[nodiscard]] bool has_buffered() const noexcept override { return false; }
    void drop_buffered() noexcept override {}
    [[nodiscard]] std::error_code take(int socket, IncomingConnection& connection) override;

private:
    std::uint64_t last_id_ = 0;
};

} // namespace usher::worker
