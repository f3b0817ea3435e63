// SPDX-License-Identifier: MIT
#include "common/wire/handoff.hpp"

#include "tests/support/printing.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace usher::handoff_test {

using namespace usher::wire;

namespace {

using Bytes = std::vector<std::byte>;

/// Reads hexadecimal digits; spaces and line ends are for the reader.
Bytes from_hex(std::string_view text)
{
    constexpr std::string_view digits = "0123456789abcdef";
    Bytes result;
    bool high = true;
    for (const char c : text) {
        const auto value = digits.find(c);
        if (value == std::string_view::npos)
            continue;
        if (high)
            result.push_back(static_cast<std::byte>(value << 4));
        else
            result.back() |= static_cast<std::byte>(value);
        high = !high;
    }
    return result;
}

Bytes packet_of(const std::vector<HandoffRecord>& records)
{
    Bytes packet(handoff_header_size + records.size() * handoff_record_size);
    const std::span out{packet};
    encode_header(out.first<handoff_header_size>(), static_cast<std::uint16_t>(records.size()));
    for (std::size_t i = 0; i < records.size(); ++i)
        encode_record(
            out.subspan(handoff_header_size + i * handoff_record_size).first<handoff_record_size>(),
            records[i]);
    return packet;
}

HandoffRecord round_trip(const HandoffRecord& record)
{
    const auto packet = packet_of({record});
    const auto parsed = HandoffPacket::parse(packet);
    REQUIRE(parsed);
    REQUIRE(parsed->count() == 1);
    return parsed->record(0);
}

/// A packet of `count` records whose header is then changed: 16 bits at `offset` become `value`.
Bytes with_header(std::size_t count, std::size_t offset, std::uint16_t value)
{
    auto packet = packet_of(std::vector<HandoffRecord>(count));
    packet[offset] = static_cast<std::byte>(value & 0xffU);
    packet[offset + 1] = static_cast<std::byte>(value >> 8);
    return packet;
}

constexpr std::size_t version_offset = 0;
constexpr std::size_t count_offset = 2;
constexpr std::size_t record_size_offset = 4;

const HandoffRecord example{
    .id = 0x0102030405060708,
    .accepted_at = 1'000'000'000,
    .listener = 3,
    .flags = 1,
    .peer = {.family = AddressFamily::ipv4, .port = 54321, .scope_id = 0, .bytes = {192, 0, 2, 1}},
    .local = {.family = AddressFamily::ipv6,
              .port = 443,
              .scope_id = 7,
              .bytes = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
};

} // namespace

TEST_SUITE_BEGIN("handoff");

TEST_CASE("a packet is these bytes")
{
    // clang-format off
    const auto expected = from_hex(
        "01 00"                    // version 1
        "01 00"                    // one record
        "50 00"                    // of 80 bytes
        "00 00"                    // reserved
        "08 07 06 05 04 03 02 01"  // id
        "00 ca 9a 3b 00 00 00 00"  // accepted at: one second
        "03 00"                    // listener
        "01 00"                    // flags: reclaimed once
        "00 00 00 00"              // reserved
        "04 00"                    // peer: IPv4
        "31 d4"                    //   port 54321
        "00 00 00 00"              //   no scope
        "c0 00 02 01 00 00 00 00 00 00 00 00 00 00 00 00" // 192.0.2.1
        "00 00 00 00"              //   reserved
        "06 00"                    // local: IPv6
        "bb 01"                    //   port 443
        "07 00 00 00"              //   scope 7
        "fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01" // fe80::1
        "00 00 00 00");            //   reserved
    // clang-format on
    CHECK((packet_of({example}) == expected));
}

TEST_CASE("a record comes back as it was")
{
    CHECK(round_trip(example) == example);
    CHECK(round_trip({}) == HandoffRecord{});
}

TEST_CASE("every field comes back at its largest")
{
    Address largest{.family = AddressFamily::ipv6,
                    .port = std::numeric_limits<std::uint16_t>::max(),
                    .scope_id = std::numeric_limits<std::uint32_t>::max(),
                    .bytes = {}};
    largest.bytes.fill(0xff);
    const HandoffRecord record{.id = std::numeric_limits<std::uint64_t>::max(),
                               .accepted_at = std::numeric_limits<std::uint64_t>::max(),
                               .listener = std::numeric_limits<std::uint16_t>::max(),
                               .flags = std::numeric_limits<std::uint16_t>::max(),
                               .peer = largest,
                               .local = largest};
    CHECK(round_trip(record) == record);
}

TEST_CASE("a Unix peer comes back as its family alone")
{
    const HandoffRecord record{.peer = {.family = AddressFamily::unix_domain}};
    CHECK(round_trip(record) == record);
}

TEST_CASE("a full packet keeps its records in order")
{
    std::vector<HandoffRecord> records(max_handoff_records);
    for (std::size_t i = 0; i < records.size(); ++i)
        records[i].id = i + 1;

    const auto packet = packet_of(records);
    CHECK(packet.size() == max_handoff_packet);
    const auto parsed = HandoffPacket::parse(packet);
    REQUIRE(parsed);
    REQUIRE(parsed->count() == max_handoff_records);
    for (std::size_t i = 0; i < records.size(); ++i)
        CHECK(parsed->record(i).id == i + 1);
}

TEST_CASE("a probe is marked by the third bit of the flags, and stays so when it is written")
{
    HandoffRecord record{.flags = 0x8001};
    CHECK_FALSE(record.is_probe());
    record.set_probe();
    CHECK(record.flags == 0x8005);
    CHECK(record.reclaims() == 1);

    std::array<std::byte, handoff_record_size> bytes{};
    encode_record(bytes, record);
    CHECK(decode_record(bytes).is_probe());
}

TEST_CASE("the count of reclaims is in the lowest two bits of the flags")
{
    HandoffRecord record{.flags = 0x8000};
    record.set_reclaims(2);
    CHECK(record.flags == 0x8002);
    CHECK(record.reclaims() == 2);
    record.set_reclaims(1);
    CHECK(record.flags == 0x8001);
}

TEST_CASE("a packet that is cut short anywhere is refused")
{
    const auto packet = packet_of({example, example});
    for (std::size_t size = 0; size < packet.size(); ++size)
        CHECK_FALSE_MESSAGE(HandoffPacket::parse(std::span{packet}.first(size)), size);
}

TEST_CASE("a packet with more behind its records is refused")
{
    auto packet = packet_of({example});
    packet.push_back(std::byte{0});
    CHECK_FALSE(HandoffPacket::parse(packet));
}

TEST_CASE("another version is refused")
{
    CHECK_FALSE(HandoffPacket::parse(with_header(1, version_offset, 0)));
    CHECK_FALSE(HandoffPacket::parse(with_header(1, version_offset, 2)));
    CHECK_FALSE(HandoffPacket::parse(with_header(1, version_offset, 0x0101)));
}

TEST_CASE("a packet of no records is refused")
{
    CHECK_FALSE(HandoffPacket::parse(packet_of({})));
}

TEST_CASE("a packet of more than 64 records is refused")
{
    CHECK_FALSE(HandoffPacket::parse(packet_of(std::vector<HandoffRecord>(65))));
}

TEST_CASE("a count that is not that of the records is refused")
{
    CHECK_FALSE(HandoffPacket::parse(with_header(2, count_offset, 1)));
    CHECK_FALSE(HandoffPacket::parse(with_header(2, count_offset, 3)));
}

TEST_CASE("records shorter than version 1's are refused")
{
    CHECK_FALSE(HandoffPacket::parse(with_header(1, record_size_offset, 0)));

    auto packet = with_header(1, record_size_offset, 79);
    packet.pop_back(); // so that the sizes agree
    CHECK_FALSE(HandoffPacket::parse(packet));
}

TEST_CASE("the longer records of a newer master are read up to what is known")
{
    constexpr std::size_t longer = handoff_record_size + 8;
    HandoffRecord second = example;
    second.id = 2;

    Bytes packet(handoff_header_size + 2 * longer, std::byte{0xee});
    const std::span out{packet};
    encode_header(out.first<handoff_header_size>(), 2);
    packet[record_size_offset] = std::byte{longer};
    encode_record(out.subspan<handoff_header_size, handoff_record_size>(), example);
    encode_record(out.subspan<handoff_header_size + longer, handoff_record_size>(), second);

    const auto parsed = HandoffPacket::parse(packet);
    REQUIRE(parsed);
    REQUIRE(parsed->count() == 2);
    CHECK(parsed->record(0) == example);
    CHECK(parsed->record(1) == second);
}

TEST_CASE("an address family that is not known reads as unknown")
{
    auto packet = packet_of({example});
    packet[handoff_header_size + 24] = std::byte{99};
    const auto parsed = HandoffPacket::parse(packet);
    REQUIRE(parsed);
    CHECK(parsed->record(0).peer.family == AddressFamily::unknown);
    CHECK(parsed->record(0).local == example.local);
}

TEST_CASE("the header alone can be read from the start of a packet")
{
    const auto packet = packet_of({example, example});
    const auto header = decode_header(std::span{packet}.first(handoff_header_size));
    REQUIRE(header);
    CHECK(header->count == 2);
    CHECK(header->record_size == handoff_record_size);
    CHECK_FALSE(decode_header(std::span{packet}.first(handoff_header_size - 1)));
}

TEST_SUITE_END();

} // namespace usher::handoff_test
