// SPDX-License-Identifier: MIT
//
// The dumps in docs/worker-protocol.md are what the encoder writes.
#include "common/wire/control.hpp"
#include "common/wire/handoff.hpp"
#include "tests/support/worker_words.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace usher::protocol_doc_test {

using namespace usher::wire;

namespace {

constexpr std::size_t bytes_per_line = 16;

/// One line: offset, bytes, and in a column of its own what they mean.
std::string dump_line(std::size_t offset, std::span<const std::byte> bytes, const std::string& text)
{
    std::array<char, 16> cell{};
    std::snprintf(cell.data(), cell.size(), "%04zx ", offset);
    std::string line = cell.data();
    for (const auto byte : bytes) {
        std::snprintf(cell.data(), cell.size(), " %02x", std::to_integer<unsigned>(byte));
        line += cell.data();
    }
    line.resize(6 + 3 * bytes_per_line, ' ');
    return line + " " + text + "\n";
}

std::string text_of(const Address& address)
{
    std::array<char, 64> text{};
    const auto& b = address.bytes;
    if (address.family == AddressFamily::ipv4) {
        std::snprintf(text.data(), text.size(), "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
        return text.data();
    }
    std::string result;
    for (std::size_t i = 0; i < b.size(); i += 2) {
        std::snprintf(text.data(), text.size(), "%s%x", i == 0 ? "" : ":",
                      static_cast<unsigned>(b[i]) << 8 | b[i + 1]);
        result += text.data();
    }
    return result;
}

/// A packet of one record, a field or a few to the line.
std::string dump_packet(const HandoffRecord& record)
{
    std::array<std::byte, handoff_header_size + handoff_record_size> packet;
    const std::span all{packet};
    encode_header(all.first<handoff_header_size>(), 1);
    encode_record(all.last<handoff_record_size>(), record);

    std::string result;
    std::size_t offset = 0;
    const auto line = [&](std::size_t size, const std::string& text) {
        result += dump_line(offset, all.subspan(offset, size), text);
        offset += size;
    };
    const auto address = [&](const std::string& name, const Address& value) {
        const bool known = value.family != AddressFamily::unknown;
        const std::string family = value.family == AddressFamily::ipv6 ? "IPv6" : "IPv4";
        line(8, name + (known ? ": " + family + ", port " + std::to_string(value.port)
                              : ": unknown, ask getsockname"));
        line(16, known ? text_of(value) : "no address");
        line(4, "reserved");
    };
    line(8, "version 1, count 1, record size 80, reserved");
    line(8, "connection id " + std::to_string(record.id));
    line(8, "accepted at " + std::to_string(record.accepted_at) + " ns");
    line(8, "listener " + std::to_string(record.listener) + ", flags " +
                std::to_string(record.flags) + ", reserved");
    address("peer", record.peer);
    address("local", record.local);
    REQUIRE(offset == packet.size());
    return result;
}

std::string dump_text(std::string_view text)
{
    std::string result;
    for (std::size_t at = 0; at < text.size(); at += bytes_per_line) {
        const auto part = text.substr(at, bytes_per_line);
        result += dump_line(at, std::as_bytes(std::span{part}), std::string{part});
    }
    return result;
}

/// The blocks of the page that are dumps, in their order.
std::vector<std::string> documented_dumps()
{
    std::ifstream file{std::string{USHER_SOURCE_DIR} + "/docs/worker-protocol.md"};
    REQUIRE(file);
    const std::string page{std::istreambuf_iterator<char>{file}, {}};
    constexpr std::string_view start = "```text\n0000  ";
    std::vector<std::string> result;
    for (auto at = page.find(start); at != std::string::npos; at = page.find(start, at)) {
        at = page.find('\n', at) + 1;
        result.push_back(page.substr(at, page.find("```", at) - at));
    }
    return result;
}

} // namespace

TEST_SUITE_BEGIN("docs/worker-protocol.md");

TEST_CASE("every dump is what the encoder makes of the same values")
{
    Address ipv4{.family = AddressFamily::ipv4, .port = 34'332};
    ipv4.bytes = {127, 0, 0, 1};
    Address ipv6{.family = AddressFamily::ipv6, .port = 36'612};
    ipv6.bytes[15] = 1;
    const std::vector<std::string> encoded{
        dump_text(encode(Hello{.protocol = 1, .max_batch = 64})),
        dump_text(encode_welcome(1, 1, 1)),
        dump_text(encode(Ready{})),
        dump_text(encode_drain(std::chrono::seconds{30})),
        dump_packet({.id = 1, .accepted_at = 14'101'105'743'387, .peer = ipv4}),
        dump_packet({.id = 2, .accepted_at = 14'101'136'098'367, .listener = 1, .peer = ipv6}),
    };

    const auto documented = documented_dumps();
    REQUIRE(documented.size() == encoded.size());
    for (std::size_t i = 0; i < encoded.size(); ++i)
        CHECK(documented[i] == encoded[i]);
}

TEST_SUITE_END();

} // namespace usher::protocol_doc_test
