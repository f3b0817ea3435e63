// SPDX-License-Identifier: MIT
//
// The store in C++, with a master that is played by the test.
#include "usher/worker/store.hpp"

#include "tests/support/fake_bus.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/run_until.hpp"

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace usher::worker_store_test {

namespace asio = boost::asio;

using namespace usher::test;
using namespace std::chrono_literals;
using usher::worker::Bus;
using usher::worker::BusError;
using usher::worker::Change;
using usher::worker::Store;
using usher::worker::Watch;

namespace {

using Lines = std::vector<std::string>;
using Error = boost::system::error_code;

std::string words_of(const Change& change)
{
    return std::string{change.key} + (change.value ? "=" + std::string{*change.value} : " gone") +
           "@" + std::to_string(change.revision) + (change.is_expired ? " expired" : "");
}

struct Fixture : NoFdLeak {
    FakeBus master;
    asio::io_context io;
    std::optional<Bus> bus{std::in_place, io};
    Store store{*bus};

    Fixture() { master.welcome(); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture()
    {
        bus.reset();
        CHECK(run_to_end(io));
    }

    Lines heard(std::size_t count = 1)
    {
        Lines lines;
        REQUIRE(run_until(io, [&] {
            for (auto& line : master.heard())
                lines.push_back(std::move(line));
            return lines.size() >= count;
        }));
        return lines;
    }

    void say(const Lines& lines)
    {
        for (const auto& line : lines)
            master.say(line);
    }

    /// With a at 3 and b at 4.
    void open()
    {
        std::optional<Error> opened;
        store.async_open([&](Error error) { opened = error; });
        CHECK(heard() == Lines{R"({"type":"sync"})"});
        CHECK(store.size() == 0);
        say({R"({"type":"snapshot","revision":4,"keys":2})",
             R"({"type":"set","key":"a","value":"x","revision":3})",
             R"({"type":"set","key":"b","value":2,"revision":4})",
             R"({"type":"synced","revision":4})"});
        REQUIRE(run_until(io, [&] { return opened.has_value(); }));
        CHECK_FALSE(*opened);
    }

    std::string get(std::string_view key) const
    {
        const auto value = store.get(key);
        return value ? std::string{value->data} + "@" + std::to_string(value->revision) : "";
    }

    template <typename Result>
    auto keep(std::optional<std::pair<Error, Result>>& result)
    {
        return [&result](Error error, Result value) { result.emplace(error, value); };
    }
};

} // namespace

TEST_SUITE_BEGIN("worker_store");

TEST_CASE_FIXTURE(Fixture, "the copy is read without asking anybody")
{
    open();
    CHECK(get("a") == "\"x\"@3");
    CHECK(get(std::string_view{"bc"}.substr(0, 1)) == "2@4");
    CHECK(get("c").empty());
    CHECK(store.keys() == Lines{"a", "b"});
    CHECK(store.keys("b") == Lines{"b"});
    CHECK(store.size() == 2);

    std::optional<Error> again; // that is done already
    store.async_open([&](Error error) { again = error; });
    REQUIRE(run_until(io, [&] { return again.has_value(); }));
    CHECK_FALSE(*again);
}

TEST_CASE_FIXTURE(Fixture, "changes are made as the protocol has it, and show when they are done")
{
    open();
    std::optional<std::pair<Error, std::uint64_t>> put;
    store.async_put("a", "[1]", {.ttl = 60s}, keep(put));
    CHECK(heard() == Lines{R"({"type":"put","key":"a","value":[1],"ttl_ms":60000,"id":1})"});
    CHECK(get("a") == "\"x\"@3");
    say({R"({"type":"set","key":"a","value":[1],"revision":5})",
         R"({"type":"ok","id":1,"revision":5})"});
    REQUIRE(run_until(io, [&] { return put.has_value(); }));
    CHECK(*put == std::pair{Error{}, std::uint64_t{5}});
    CHECK(get("a") == "[1]@5");

    std::optional<std::pair<Error, std::int64_t>> sum;
    store.async_increment("n", -2, 1s, keep(sum));
    CHECK(heard() == Lines{R"({"type":"increment","key":"n","by":-2,"ttl_ms":1000,"id":2})"});
    say({R"({"type":"ok","id":2,"revision":6,"value":-2})"});
    REQUIRE(run_until(io, [&] { return sum.has_value(); }));
    CHECK(sum->second == -2);

    put.reset();
    store.async_erase("a", 5, keep(put));
    CHECK(heard() == Lines{R"({"type":"erase","key":"a","expected":5,"id":3})"});
    say({R"({"type":"error","id":3,"code":"conflict","reason":"","revision":7})"});
    REQUIRE(run_until(io, [&] { return put.has_value(); }));
    CHECK(put->first == BusError::conflict);
}

TEST_CASE_FIXTURE(Fixture, "an update is made anew when another worker was quicker")
{
    open();
    Lines seen;
    const auto more = [&seen](std::optional<std::string_view> value) {
        seen.emplace_back(value.value_or("none"));
        return std::string{value.value_or("")} + "1";
    };
    std::optional<std::pair<Error, std::uint64_t>> result;
    store.async_update("b", more, keep(result));
    CHECK(heard() == Lines{R"({"type":"put","key":"b","value":21,"expected":4,"id":1})"});
    say({R"({"type":"set","key":"b","value":3,"revision":9})",
         R"({"type":"error","id":1,"code":"conflict","reason":"","revision":9})"});
    CHECK(heard() == Lines{R"({"type":"put","key":"b","value":31,"expected":9,"id":2})"});
    say({R"({"type":"erased","key":"b","revision":10})",
         R"({"type":"error","id":2,"code":"conflict","reason":"","revision":0})"});
    CHECK(heard() == Lines{R"({"type":"put","key":"b","value":1,"expected":0,"id":3})"});
    say({R"({"type":"set","key":"b","value":1,"revision":11})",
         R"({"type":"ok","id":3,"revision":11})"});
    REQUIRE(run_until(io, [&] { return result.has_value(); }));
    CHECK(*result == std::pair{Error{}, std::uint64_t{11}});
    CHECK(seen == Lines{"2", "3", "none"});

    result.reset();
    store.async_update("b", more, 30min, keep(result));
    CHECK(heard() ==
          Lines{R"({"type":"put","key":"b","value":11,"ttl_ms":1800000,"expected":11,"id":4})"});
    say({R"({"type":"error","id":4,"code":"full","reason":"1 MiB"})"});
    REQUIRE(run_until(io, [&] { return result.has_value(); }));
    CHECK(result->first == BusError::full);
}

TEST_CASE_FIXTURE(Fixture, "changes are told to those who watch their keys, as long as they do")
{
    open();
    Lines of_all;
    Lines of_b;
    auto all = store.watch("", [&](const Change& change) {
        of_all.push_back(words_of(change));
        if (change.value)
            CHECK(store.get(change.key)->data == *change.value);
    });
    auto some = std::optional{
        store.watch("b", [&](const Change& change) { of_b.push_back(words_of(change)); })};
    say({R"({"type":"set","key":"a","value":5,"revision":5})",
         R"({"type":"erased","key":"b","revision":6,"expired":true})"});
    REQUIRE(run_until(io, [&] { return of_all.size() == 2; }));
    CHECK(of_all == Lines{"a=5@5", "b gone@6 expired"});
    CHECK(of_b == Lines{"b gone@6 expired"});

    some.reset();
    const Watch moved = std::move(all);
    say({R"({"type":"set","key":"b","value":7,"revision":7})"});
    REQUIRE(run_until(io, [&] { return of_all.size() == 3; }));
    CHECK(of_b.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a watcher may stop itself, begin another, and close the bus")
{
    open();
    std::optional<Watch> first;
    std::optional<Watch> second;
    std::optional<Watch> third;
    int calls = 0;
    first = store.watch("", [&](const Change&) {
        ++calls;
        second = store.watch("", [&](const Change& change) {
            ++calls;
            CHECK(change.key == "b");
            bus.reset();
            CHECK_FALSE(store.get("b"));
        });
        first.reset();
    });
    third = store.watch("", [&](const Change&) { ++calls; });
    say({R"({"type":"set","key":"a","value":5,"revision":5})",
         R"({"type":"set","key":"b","value":5,"revision":6})",
         R"({"type":"set","key":"c","value":5,"revision":7})"});
    CHECK(run_to_end(io));
    CHECK(calls == 4);
}

TEST_CASE_FIXTURE(Fixture, "what a watcher throws comes out of the event loop, and the bus goes on")
{
    open();
    Lines told;
    const auto watch = store.watch("", [&](const Change& change) {
        told.emplace_back(change.key);
        throw std::runtime_error{"no"};
    });
    say({R"({"type":"set","key":"a","value":5,"revision":5})",
         R"({"type":"set","key":"b","value":5,"revision":6})"});
    const auto turn = [this] { return run_until(io, [] { return false; }); };
    CHECK_THROWS_WITH(turn(), "no");
    CHECK_THROWS_WITH(turn(), "no");
    CHECK(told == Lines{"a", "b"});
}

TEST_CASE_FIXTURE(Fixture, "the copy outlives the master")
{
    open();
    master.die();
    CHECK(run_to_end(io));
    CHECK(get("a") == "\"x\"@3");
    std::optional<std::pair<Error, std::uint64_t>> put;
    store.async_put("a", "1", {}, keep(put));
    CHECK(run_to_end(io));
    REQUIRE(put);
    CHECK(put->first == asio::error::eof);
}

TEST_SUITE_END();

} // namespace usher::worker_store_test
