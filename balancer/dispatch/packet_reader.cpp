// SPDX-License-Identifier: MIT
#include "balancer/dispatch/packet_reader.hpp"

#include "common/async/closing_thread.hpp"

#include <span>

namespace usher {

PacketReader::PacketReader()
{
    message_.fds.reserve(sys::max_fds_per_message); // for good
}

std::optional<PacketReader::Head> PacketReader::peek(int socket) noexcept
{
    // Enough for the head and the first record, which names the oldest connection.
    std::array<std::byte, wire::handoff_header_size + wire::handoff_record_size> start;
    std::size_t size = 0;
    if (sys::peek_message(socket, start, size))
        return std::nullopt; // would block or end-of-file: empty

    const auto header = wire::decode_header(std::span{start}.first(size));
    if (!header || size < start.size())
        return std::nullopt; // the master wrote it itself, so this cannot be
    const auto record = wire::decode_record(
        std::span{start}.subspan<wire::handoff_header_size, wire::handoff_record_size>());
    return Head{.id = record.id, .count = header->count, .is_probe = record.is_probe()};
}

std::optional<wire::HandoffPacket> PacketReader::receive(int socket, bool is_distrusted)
{
    if (sys::recv_with_fds(socket, buffer_, message_))
        return std::nullopt;

    auto packet = wire::HandoffPacket::parse(std::span{buffer_}.first(message_.size));
    if (packet && packet->count() == message_.fds.size())
        return packet;
    if (is_distrusted)
        close_elsewhere(message_.fds);
    message_.fds.clear();
    return std::nullopt;
}

} // namespace usher
