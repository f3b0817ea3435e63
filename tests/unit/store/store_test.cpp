// SPDX-License-Identifier: MIT
#include "balancer/store/store.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace usher::store_test {

using namespace std::chrono_literals;
using Kind = Store::Command::Kind;

namespace {

struct Bench {
    Store store{StoreConfig{.max_keys = 3, .max_bytes = 110, .worker_bytes = 60}};
    Store::Clock::time_point now{};

    Store::Answer tried(Store::Command command)
    {
        if (command.owner.empty())
            command.owner = "a/1";
        return store.apply(command, now);
    }

    /// `REVISION VALUE` or `CODE REVISION`
    std::string doing(Store::Command command)
    {
        const auto answer = tried(std::move(command));
        store.commit();
        if (!answer.code.empty())
            return std::string{answer.code} + " " + std::to_string(answer.revision);
        return std::to_string(answer.revision) + (answer.value.empty() ? "" : " " + answer.value);
    }

    /// `KEY=VALUE@REVISION` of each, joined by blanks.
    [[nodiscard]] std::string content() const
    {
        std::string text;
        for (const auto& [key, entry] : store.entries())
            text += (text.empty() ? "" : " ") + key + "=" + *entry.value + "@" +
                    std::to_string(entry.revision);
        return text;
    }
};

} // namespace

TEST_SUITE_BEGIN("store");

TEST_CASE_FIXTURE(Bench, "each change has the next revision")
{
    CHECK(doing({.key = "k", .value = "1"}) == "1");
    CHECK(doing({.key = "l", .value = "2"}) == "2");
    CHECK(doing({.key = "k", .value = "3"}) == "3");
    CHECK(content() == "k=3@3 l=2@2");
    CHECK(doing({.kind = Kind::erase, .key = "l"}) == "4");
    CHECK(doing({.kind = Kind::erase, .key = "l"}) == "4"); // nothing to do
    CHECK(content() == "k=3@3");
    CHECK(store.revision() == 4);
}

TEST_CASE_FIXTURE(Bench, "a change that expects another revision changes nothing")
{
    CHECK(doing({.key = "k", .value = "1", .expected = 1}) == "conflict 0");
    CHECK(doing({.key = "k", .value = "1", .expected = 0}) == "1");
    CHECK(doing({.key = "k", .value = "2", .expected = 0}) == "conflict 1");
    CHECK(doing({.key = "k", .value = "2", .expected = 1}) == "2");
    CHECK(doing({.kind = Kind::erase, .key = "k", .expected = 1}) == "conflict 2");
    CHECK(doing({.kind = Kind::erase, .key = "k", .expected = 2}) == "3");
    CHECK(doing({.kind = Kind::erase, .key = "k", .expected = 2}) == "conflict 0");
    CHECK(doing({.kind = Kind::increment, .key = "n", .expected = 0}) == "4 1");
}

TEST_CASE_FIXTURE(Bench, "only whole numbers of 64 bits are counted")
{
    CHECK(doing({.kind = Kind::increment, .key = "n", .by = 5}) == "1 5");
    CHECK(doing({.kind = Kind::increment, .key = "n", .by = -7}) == "2 -2");
    for (const auto* value : {"1.5", "\"1\"", "[]", "null", "9223372036854775808", "1e3"}) {
        REQUIRE(doing({.key = "x", .value = value}).find(' ') == std::string::npos);
        CHECK_MESSAGE(tried({.kind = Kind::increment, .key = "x"}).code == "not-a-number", value);
    }
    REQUIRE(tried({.key = "x", .value = "9223372036854775807"}).code.empty());
    store.commit();
    CHECK(tried({.kind = Kind::increment, .key = "x"}).code == "not-a-number");
    CHECK(
        tried({.kind = Kind::increment, .key = "x", .by = std::numeric_limits<std::int64_t>::min()})
            .value == "-1");
}

TEST_CASE_FIXTURE(Bench, "over a limit a change fails, which names it, and nothing goes")
{
    for (const auto* key : {"a", "b", "c"})
        REQUIRE(tried({.key = key, .value = "1"}).code.empty());
    store.commit();
    CHECK(tried({.key = "d", .value = "1"}).reason ==
          "the store has 3 keys, its limit (store.max_keys)");
    CHECK(doing({.key = "a", .value = "22"}) == "4"); // one that is there
    const std::string big(50, '1');
    CHECK(doing({.key = "a", .value = big}) == "5");
    CHECK(tried({.key = "b", .value = big}).reason ==
          "a/1 has written 55 bytes of what is in the store; with this it would be more than a "
          "worker may, 60 (store.worker_bytes)");
    CHECK(tried({.key = "b", .value = std::string(60, '1'), .owner = "a/2"}).reason ==
          "the store has 55 bytes; with this it would have more than its limit, 110 "
          "(store.max_bytes)");
    CHECK(doing({.key = "b", .value = std::string(40, '1'), .owner = "a/2"}) == "6");
    CHECK(doing({.key = "a", .value = std::string(58, '1')}) == "full 0");
    CHECK(doing({.kind = Kind::erase, .key = "c"}) == "7"); // that always goes
    CHECK(doing({.key = "a", .value = "1"}) == "8");
    CHECK(doing({.key = "b", .value = std::string(55, '1')}) == "9"); // now of the first
    CHECK(doing({.key = "e", .value = std::string(30, '1'), .owner = "a/2"}) == "10");
}

TEST_CASE_FIXTURE(Bench, "what has a time goes when it is over")
{
    CHECK_FALSE(store.next_expiry());
    CHECK(doing({.key = "a", .value = "1", .ttl = 20ms}) == "1");
    CHECK(doing({.key = "b", .value = "1", .ttl = 10ms}) == "2");
    CHECK(store.next_expiry() == now + 10ms);
    store.expire(now + 9ms);
    CHECK(store.pending().empty());
    store.expire(now + 10ms);
    REQUIRE(store.pending().size() == 1);
    CHECK(store.pending().front().key == "b");
    CHECK(store.pending().front().has_expired);
    store.commit();
    CHECK(content() == "a=1@1");
    CHECK(doing({.key = "a", .value = "2"}) == "4"); // for ever
    CHECK_FALSE(store.next_expiry());
}

TEST_CASE_FIXTURE(Bench, "one that is late to go is not there for those who change it")
{
    CHECK(doing({.kind = Kind::increment, .key = "n", .ttl = 10ms}) == "1 1");
    CHECK(doing({.kind = Kind::increment, .key = "n", .ttl = 90ms}) == "2 2"); // keeps its time
    CHECK(store.next_expiry() == now + 10ms);
    now += 10ms;
    CHECK(doing({.kind = Kind::increment, .key = "n", .ttl = 10ms}) == "4 1"); // 3 erases
    CHECK(store.next_expiry() == now + 10ms);
    now += 10ms;
    CHECK(doing({.key = "n", .value = "7", .expected = 4}) == "conflict 0");
    CHECK(content().empty()); // found by the way
}

TEST_CASE_FIXTURE(
    Bench, "what was tried is seen by those tried after it, and by nobody else until it counts")
{
    REQUIRE(doing({.key = "k", .value = "1"}) == "1");
    CHECK(tried({.key = "k", .value = "2", .expected = 1}).revision == 2);
    CHECK(tried({.key = "k", .value = "3", .expected = 2}).revision == 3);
    CHECK(tried({.kind = Kind::increment, .key = "k"}).value == "4");
    CHECK(tried({.kind = Kind::erase, .key = "k"}).revision == 5);
    CHECK(tried({.key = "l", .value = "1"}).revision == 6);
    CHECK(content() == "k=1@1");
    CHECK(store.revision() == 1);
    store.roll_back();
    CHECK(store.pending().empty());
    CHECK(doing({.key = "k", .value = "9", .expected = 1}) == "2");
    CHECK(content() == "k=9@2");
}

TEST_CASE_FIXTURE(Bench, "what was rolled back takes no room")
{
    for (int i = 0; i < 10; ++i) {
        REQUIRE(tried({.key = "a", .value = std::string(50, '1')}).code.empty());
        REQUIRE(tried({.key = "b", .value = std::string(40, '1'), .owner = "a/2"}).code.empty());
        store.roll_back();
    }
    CHECK(doing({.key = "c", .value = std::string(50, '1')}) == "1");
}

TEST_CASE_FIXTURE(Bench, "the lines of the last changes are kept")
{
    doing({.key = "k", .value = "1"});
    doing({.kind = Kind::erase, .key = "k"});
    CHECK(*store.recent(1) == "{\"type\":\"set\",\"key\":\"k\",\"revision\":1,\"value\":1}\n");
    CHECK(*store.recent(2) == "{\"type\":\"erased\",\"key\":\"k\",\"revision\":2}\n");
    CHECK(store.recent(0) == nullptr);
    CHECK(store.recent(3) == nullptr);
    for (int i = 0; i < 20'000; ++i)
        doing({.kind = Kind::increment, .key = "n"});
    CHECK(store.recent(2) == nullptr);
    CHECK(store.recent(store.revision()) != nullptr);
}

TEST_SUITE_END();

} // namespace usher::store_test
