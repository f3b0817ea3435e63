// SPDX-License-Identifier: MIT
#include "balancer/dialect/preload/preload.hpp"

#include "common/handoff_address.hpp"
#include "common/scoreboard.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace usher::preload_test {

using namespace usher::test;

namespace {

using Queues = std::vector<std::uint8_t>;

sys::SocketAddress ipv6(std::uint16_t port)
{
    constexpr std::array<std::uint8_t, 16> any{};
    return sys::SocketAddress::ipv6(any, port, 0);
}

bool contains(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_SUITE_BEGIN("preload");

TEST_CASE("each port and each path has a queue, whatever the family")
{
    const auto path = sys::SocketAddress::unix_path("/a");
    CHECK(assign_queues({loopback(80)}) == Queues{0});
    CHECK(assign_queues({loopback(80), ipv6(80)}) == Queues{0, 0});
    CHECK(assign_queues({loopback(80), path, ipv6(80), ipv6(81)}) == Queues{0, 1, 0, 2});
    CHECK(assign_queues({}).empty());

    std::vector<sys::SocketAddress> many;
    for (std::uint16_t port = 1; port <= PreloadProgress::most_queues; ++port)
        many.push_back(loopback(port));
    CHECK(assign_queues(many).back() == PreloadProgress::most_queues - 1);
    many.push_back(loopback(1'000));
    CHECK_THROWS_WITH_AS(std::ignore = assign_queues(many),
                         "dialect preload takes at most 32 ports in a pool; make two pools",
                         std::runtime_error);
}

TEST_CASE("the shim is told its descriptors by number and inode, and comes before other libraries")
{
    ResolvedPool config;
    config.dialect = Dialect::preload;
    config.stop_signal = 3;
    config.drain_timeout = std::chrono::milliseconds{1'500};
    const auto null = open_null();
    const std::vector<int> descriptors(4, null.get()); // two queues, control, scoreboard
    std::map<std::string, std::string> environment{{"LD_PRELOAD", "/other.so"}};
    add_preload(environment, config, {loopback(80), ipv6(80), ipv6(81)}, descriptors, 3);

    const auto control = environment.at("USHER_PRELOAD_CONTROL");
    const auto inode = control.substr(control.find(':'));
    CHECK(control == "5" + inode);
    CHECK(environment.at("USHER_PRELOAD_SCOREBOARD") == "6" + inode);
    CHECK(environment.at("USHER_PRELOAD_LISTENERS") ==
          "3" + inode + " 127.0.0.1:80\n3" + inode + " [::]:80\n4" + inode + " [::]:81\n");
    CHECK(environment.at("USHER_PRELOAD_END") == "3 1500");
    CHECK(environment.at("LD_PRELOAD").ends_with("/libusher-preload.so:/other.so"));
    CHECK_FALSE(environment.contains("USHER_PRELOAD_ASK"));
}

TEST_CASE("what is to be found out, the shim is told to ask")
{
    ResolvedPool config;
    const auto null = open_null();
    const std::vector<int> descriptors(3, null.get()); // a queue, control, scoreboard
    std::map<std::string, std::string> environment{{"ASAN_OPTIONS", "detect_leaks=0"}};
    add_preload(environment, config, {}, descriptors, 3);
    CHECK(environment.at("USHER_PRELOAD_ASK") == "dialect");
    CHECK(environment.at("ASAN_OPTIONS") == "detect_leaks=0:verify_asan_link_order=0");
    CHECK(environment.at("USHER_PRELOAD_LISTENERS").starts_with("3:"));
    CHECK(environment.at("USHER_PRELOAD_LISTENERS").ends_with(" *\n"));
}

TEST_CASE("where a program would listen is read from numbers alone")
{
    const auto text = [](const char* address) {
        const auto parsed = parse_tcp_address(address);
        return parsed ? parsed->to_string() : std::string{"nothing"};
    };
    CHECK(text("127.0.0.1:8000") == "127.0.0.1:8000");
    CHECK(text("0.0.0.0:0") == "0.0.0.0:0");
    CHECK(text("[::1]:8000") == "[::1]:8000");
    CHECK(text("8000") == "[::]:8000");
    CHECK(text("*:8000") == "[::]:8000");
    CHECK(text("localhost:8000") == "127.0.0.1:8000");
    CHECK(text("[::ffff:10.0.0.1]:80") == "10.0.0.1:80");
    for (const char* const other :
         {"", "somewhere:8000", "unix:/path", "8000000", "1.2.3.4.5:1", "[::1:8000", "\x01"})
        CHECK(text(other) == "nothing");
}

TEST_CASE("an answer to the shim lies in its place, with the address as in a hand-off record")
{
    auto board = Scoreboard::make();
    auto& page = board.page();
    answer_shim(page, 18, ShimVerdict::own, loopback(80));
    const auto& answer = page.answers[2];
    CHECK(answer.question == 18);
    CHECK(answer.verdict == ShimVerdict::own);
    wire::HandoffRecord record{.peer = to_wire(loopback(80))};
    std::array<std::byte, wire::handoff_record_size> bytes{};
    wire::encode_record(bytes, record);
    CHECK(std::memcmp(bytes.data() + 24, answer.address.data(), answer.address.size()) == 0);
    answer_shim(page, 34, EADDRINUSE, {});
    CHECK(answer.question == 34);
    CHECK(answer.verdict == EADDRINUSE);
    CHECK(std::ranges::all_of(answer.address, [](auto byte) { return byte == 0; }));
}

TEST_CASE("a worker that is not ready is explained by what the shim has seen")
{
    const std::vector one{loopback(80)};
    const std::vector two{loopback(80), ipv6(80), loopback(81), loopback(82)};
    CHECK(contains(explain_missing(one, 0), "libusher-preload.so was not loaded into it"));
    CHECK(contains(explain_missing(one, PreloadProgress::loaded),
                   "it has not listened on any port; if it has"));
    const auto some = PreloadProgress::loaded | PreloadProgress::listens(1);
    CHECK(contains(explain_missing(two, some), "it has not listened on port 80, port 82;"));
}

TEST_SUITE_END();

} // namespace usher::preload_test
