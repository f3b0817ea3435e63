// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/fd_reserve.hpp"
#include "common/sys/socket/fd_message.hpp"
#include "common/wire/handoff.hpp"
#include "source.hpp"

#include <array>
#include <cstddef>

namespace usher::worker {

/// Connections from the master's hand-off socket, a packet of up to 64 at a time.
class HandoffSource final : public Source {
public:
    [[nodiscard]] bool has_buffered() const noexcept override { return next_ < count_; }
    void drop_buffered() noexcept override;
    [[nodiscard]] std::error_code take(int socket, IncomingConnection& connection) override;

private:
    [[nodiscard]] std::error_code receive(int socket);
    [[nodiscard]] bool has_headroom(int socket);

    std::array<std::byte, wire::max_handoff_packet> buffer_{};
    sys::FdMessage message_;
    std::array<wire::HandoffRecord, wire::max_handoff_records> records_;
    sys::FdReserve reserve_;
    std::size_t next_ = 0;
    std::size_t count_ = 0;
};

} // namespace usher::worker
