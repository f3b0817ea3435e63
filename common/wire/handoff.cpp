// SPDX-License-Identifier: MIT
#include "common/wire/handoff.hpp"

#include "common/wire/byte_order.hpp"

#include <cassert>
#include <cstring>

namespace usher::wire {

namespace {

constexpr std::uint16_t reserved16 = 0;
constexpr std::uint32_t reserved32 = 0;

std::byte* put_address(std::byte* out, const Address& address) noexcept
{
    out = put(out, static_cast<std::uint16_t>(address.family));
    out = put(out, address.port);
    out = put(out, address.scope_id);
    std::memcpy(out, address.bytes.data(), address.bytes.size());
    return put(out + address.bytes.size(), reserved32);
}

/// A family this version does not know reads as unknown, so that a newer master stays readable.
AddressFamily family_from(std::uint16_t value) noexcept
{
    switch (static_cast<AddressFamily>(value)) {
    case AddressFamily::unix_domain:
    case AddressFamily::ipv4:
    case AddressFamily::ipv6:
        return static_cast<AddressFamily>(value);
    case AddressFamily::unknown:
        break;
    }
    return AddressFamily::unknown;
}

const std::byte* get_address(const std::byte* in, Address& address) noexcept
{
    std::uint16_t family = 0;
    in = get(in, family);
    address.family = family_from(family);
    in = get(in, address.port);
    in = get(in, address.scope_id);
    std::memcpy(address.bytes.data(), in, address.bytes.size());
    return in + address.bytes.size() + sizeof reserved32;
}

} // namespace

void encode_header(std::span<std::byte, handoff_header_size> out, std::uint16_t count) noexcept
{
    std::byte* p = put(out.data(), handoff_version);
    p = put(p, count);
    p = put(p, static_cast<std::uint16_t>(handoff_record_size));
    put(p, reserved16);
}

void encode_record(std::span<std::byte, handoff_record_size> out,
                   const HandoffRecord& record) noexcept
{
    std::byte* p = put(out.data(), record.id);
    p = put(p, record.accepted_at);
    p = put(p, record.listener);
    p = put(p, record.flags);
    p = put(p, reserved32);
    p = put_address(p, record.peer);
    p = put_address(p, record.local);
    assert(p == out.data() + out.size());
}

HandoffRecord decode_record(std::span<const std::byte, handoff_record_size> in) noexcept
{
    HandoffRecord record;
    const std::byte* p = get(in.data(), record.id);
    p = get(p, record.accepted_at);
    p = get(p, record.listener);
    p = get(p, record.flags);
    p = get_address(p + sizeof reserved32, record.peer);
    get_address(p, record.local);
    return record;
}

std::optional<HandoffHeader> decode_header(std::span<const std::byte> packet) noexcept
{
    if (packet.size() < handoff_header_size)
        return std::nullopt;

    std::uint16_t version = 0;
    HandoffHeader header;
    const std::byte* p = get(packet.data(), version);
    p = get(p, header.count);
    get(p, header.record_size);

    if (version != handoff_version || header.count == 0 || header.count > max_handoff_records ||
        header.record_size < handoff_record_size)
        return std::nullopt;
    return header;
}

std::optional<HandoffPacket> HandoffPacket::parse(std::span<const std::byte> bytes) noexcept
{
    const auto header = decode_header(bytes);
    if (!header)
        return std::nullopt;

    const auto records = bytes.subspan(handoff_header_size);
    if (records.size() != std::size_t{header->count} * header->record_size)
        return std::nullopt;
    return HandoffPacket{*header, records};
}

HandoffRecord HandoffPacket::record(std::size_t index) const noexcept
{
    assert(index < count());

    return decode_record(
        records_.subspan(index * header_.record_size).first<handoff_record_size>());
}

} // namespace usher::wire
