// SPDX-License-Identifier: MIT
#include "balancer/bus/open_requests.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace usher::open_requests_test {

using namespace std::chrono_literals;
using Time = OpenRequests::Clock::time_point;
using Names = std::vector<std::string>;

namespace {

OpenRequests::Request ask(std::vector<OpenRequests::Respondent> awaited, std::uint64_t most = 0,
                          std::chrono::milliseconds deadline = 100ms)
{
    return {.asker = 1,
            .id = "9",
            .awaited = std::move(awaited),
            .most = most,
            .deadline = Time{deadline}};
}

} // namespace

TEST_SUITE_BEGIN("open_requests");

TEST_CASE("a request is done when all have answered")
{
    OpenRequests requests;
    const auto number = requests.open(ask({{2, "a/2"}, {3, "a/3"}}));
    CHECK(requests.asker(number) == 1);
    CHECK(requests.count(1) == 1);
    REQUIRE(requests.on_reply(number, 2, true) != nullptr);
    CHECK_FALSE(requests.take_done(number));
    CHECK(requests.on_reply(number, 2, true) == nullptr); // once
    CHECK(requests.on_reply(number, 4, true) == nullptr); // not asked
    CHECK(requests.on_reply(number + 1, 3, true) == nullptr);
    REQUIRE(requests.on_reply(number, 3, true) != nullptr);
    const auto done = requests.take_done(number);
    REQUIRE(done);
    CHECK(done->id == "9");
    CHECK(done->replies == 2);
    CHECK(done->missing.empty());
    CHECK(requests.count(1) == 0);
    CHECK_FALSE(requests.next_deadline());
    CHECK_FALSE(requests.asker(number));
}

TEST_CASE("with a number of replies the others are not waited for")
{
    OpenRequests requests;
    const auto number = requests.open(ask({{2, "a/2"}, {3, "a/3"}, {4, "a/4"}}, 1));
    REQUIRE(requests.on_reply(number, 3, true) != nullptr);
    const auto done = requests.take_done(number);
    REQUIRE(done);
    CHECK(done->replies == 1);
    CHECK(done->missing == Names{"a/2", "a/4"});
}

TEST_CASE("who ends is missing, and what it has asked is forgotten")
{
    OpenRequests requests;
    const auto number = requests.open(ask({{2, "a/2"}, {3, "a/3"}}));
    auto other = ask({{1, "a/1"}});
    other.asker = 2;
    requests.open(other);
    REQUIRE(requests.on_reply(number, 3, true) != nullptr);
    const auto done = requests.on_leave(2);
    REQUIRE(done.size() == 1);
    CHECK(done.front().missing == Names{"a/2"});
    CHECK(done.front().replies == 1);
    CHECK(requests.count(2) == 0);
    CHECK_FALSE(requests.next_deadline());
}

TEST_CASE("a reply for which there was no room is none")
{
    OpenRequests requests;
    const auto number = requests.open(ask({{2, "a/2"}}));
    REQUIRE(requests.on_reply(number, 2, false) != nullptr);
    const auto done = requests.take_done(number);
    REQUIRE(done);
    CHECK(done->replies == 0);
    CHECK(done->missing == Names{"a/2"});
}

TEST_CASE("those whose time is over come in the order of their deadlines")
{
    OpenRequests requests;
    requests.open(ask({{2, "late"}}, 0, 300ms));
    requests.open(ask({{2, "early"}}, 0, 100ms));
    CHECK(requests.next_deadline() == Time{100ms});
    CHECK(requests.take_late(Time{99ms}).empty());
    const auto first = requests.take_late(Time{100ms});
    REQUIRE(first.size() == 1);
    CHECK(first.front().missing == Names{"early"});
    CHECK(requests.next_deadline() == Time{300ms});
    CHECK(requests.take_late(Time{1s}).size() == 1);
    CHECK(requests.count(1) == 0);
}

TEST_SUITE_END();

} // namespace usher::open_requests_test
