// SPDX-License-Identifier: MIT
#include "common/wire/handoff.hpp"

#include <cassert>

namespace usher::wire {

namespace {

/// Writes numbers at `at`, little-endian, one behind the other.
struct Writer {
    std::byte* at;

    template <typename Number>
    void operator()(Number number) noexcept
    {
        for (std::size_t i = 0; i < sizeof number; ++i)
            *at++ = static_cast<std::byte>(static_cast<std::uint64_t>(number) >> (8 * i));
    }
};

/// Reads them.
struct Reader {
    const std::byte* at;

    template <typename Number>
    void operator()(Number& number) noexcept
    {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < sizeof number; ++i)
            value |= static_cast<std::uint64_t>(*at++) << (8 * i);
        number = static_cast<Number>(value);
    }
};

/// Takes `action` over the fields of an address, in their order.
template <typename Address, typename Action>
void walk_address(Address& address, Action& action) noexcept
{
    action(address.family);
    action(address.port);
    action(address.scope_id);
    for (auto& byte : address.bytes)
        action(byte);
    std::uint32_t reserved = 0;
    action(reserved);
}

/// The same for a record.
template <typename Record, typename Action>
void walk(Record& record, Action&& action) noexcept
{
    action(record.id);
    action(record.accepted_at);
    action(record.listener);
    action(record.flags);
    std::uint32_t reserved = 0;
    action(reserved);
    walk_address(record.peer, action);
    walk_address(record.local, action);
}

/// A family this version does not know reads as unknown, so that a newer master stays readable.
void forget_unknown(AddressFamily& family) noexcept
{
    if (family != AddressFamily::unix_domain && family != AddressFamily::ipv4 &&
        family != AddressFamily::ipv6)
        family = AddressFamily::unknown;
}

} // namespace

void encode_header(std::span<std::byte, handoff_header_size> out, std::uint16_t count) noexcept
{
    Writer write{out.data()};
    for (const auto number : {handoff_version, count,
                              static_cast<std::uint16_t>(handoff_record_size), std::uint16_t{0}})
        write(number);
}

void encode_record(std::span<std::byte, handoff_record_size> out,
                   const HandoffRecord& record) noexcept
{
    walk(record, Writer{out.data()});
}

HandoffRecord decode_record(std::span<const std::byte, handoff_record_size> in) noexcept
{
    HandoffRecord record;
    walk(record, Reader{in.data()});
    forget_unknown(record.peer.family);
    forget_unknown(record.local.family);
    return record;
}

std::optional<HandoffHeader> decode_header(std::span<const std::byte> packet) noexcept
{
    if (packet.size() < handoff_header_size)
        return std::nullopt;

    std::uint16_t version = 0;
    HandoffHeader header;
    Reader read{packet.data()};
    read(version);
    read(header.count);
    read(header.record_size);

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

    return decode_record(records.subspan(index * header.record_size).first<handoff_record_size>());
}

} // namespace usher::wire
