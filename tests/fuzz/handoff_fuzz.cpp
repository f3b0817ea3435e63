// SPDX-License-Identifier: MIT
//
// Whatever the bytes, HandoffPacket::parse() refuses them or gives records that encode to a packet
// of the same records; decode_header() and the C library never say anything else.
#include "common/wire/handoff.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <span>
#include <vector>

extern "C" {
#include "worker/c/handoff.h"
}

using namespace usher::wire;
using namespace usher::fuzz;

namespace {

std::vector<std::byte> encode(const HandoffPacket& packet)
{
    std::vector<std::byte> result(handoff_header_size + packet.count() * handoff_record_size);
    const std::span out{result};
    encode_header(out.first<handoff_header_size>(), static_cast<std::uint16_t>(packet.count()));
    for (std::size_t i = 0; i < packet.count(); ++i)
        encode_record(
            out.subspan(handoff_header_size + i * handoff_record_size).first<handoff_record_size>(),
            packet.record(i));
    return result;
}

void check_in_c(const std::uint8_t* data, const HandoffPacket& packet)
{
    uw_header header{};
    require(uw_decode_header(data, &header) && header.count == packet.count());
    for (std::size_t i = 0; i < packet.count(); ++i) {
        usher_connection connection{};
        uw_decode_record(data + handoff_header_size + i * header.record_size, &connection);
        const auto record = packet.record(i);
        require(connection.id == record.id && connection.accepted_at == record.accepted_at &&
                connection.listener == record.listener && connection.reclaims == record.reclaims());
        require((connection.peer_size != 0) == (record.peer.family != AddressFamily::unknown));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto bytes = std::as_bytes(std::span{data, size});
    const auto header = decode_header(bytes);
    const auto packet = HandoffPacket::parse(bytes);
    if (!packet)
        return 0;

    require(header.has_value());
    require(packet->count() == header->count);
    require(packet->count() >= 1 && packet->count() <= max_handoff_records);

    check_in_c(data, *packet);
    const auto again = encode(*packet);
    const auto parsed = HandoffPacket::parse(again);
    require(parsed.has_value() && parsed->count() == packet->count());
    for (std::size_t i = 0; i < packet->count(); ++i)
        require(parsed->record(i) == packet->record(i));
    return 0;
}
