// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/fd_message.hpp"
#include "common/wire/handoff.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace usher {

/// Reads back, from the worker's end of a hand-off socket, packets that the worker has not taken.
/// A packet is read by one or the other (recvmsg(2) on a SOCK_SEQPACKET socket), never by both.
/// Allocates nothing after its construction.
class PacketReader {
public:
    /// The first connection id and the record count of the next packet.
    struct Head {
        std::uint64_t id;
        std::size_t count;
        bool is_probe; ///< the master's own, which nobody else could answer for that worker
    };

    PacketReader();

    /// What the next packet is, without taking it; nothing if there is none.
    [[nodiscard]] static std::optional<Head> peek(int socket) noexcept;

    /// Takes the next packet, and gives each of its connections with its record to `take`.
    /// False if there was none.  With `is_distrusted` nothing that could linger is closed here.
    template <typename Take>
    bool read(int socket, bool is_distrusted, Take take)
    {
        const auto packet = receive(socket, is_distrusted);
        for (std::size_t i = 0; packet && i < packet->count(); ++i)
            take(std::move(message_.fds[i]), packet->record(i));
        message_.fds.clear();
        return packet.has_value();
    }

private:
    [[nodiscard]] std::optional<wire::HandoffPacket> receive(int socket, bool is_distrusted);

    std::array<std::byte, wire::max_handoff_packet> buffer_{};
    sys::FdMessage message_;
};

} // namespace usher
