// SPDX-License-Identifier: MIT
#include "balancer/bus/bus_set.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace usher::bus_set_test {

using namespace usher::test;

namespace {

struct Bench {
    TempDir dir;
    boost::asio::io_context io{1};
    EventBus events;
    BusSet buses{io.get_executor(), events};

    static ResolvedPool pool(const std::string& name, const std::string& share = {},
                             const std::string& persist = {})
    {
        ResolvedPool pool;
        pool.name = name;
        pool.bus.share = share;
        pool.store.persist = persist;
        return pool;
    }

    [[nodiscard]] std::string path(const std::string& name) const
    {
        return dir.path().string() + "/" + name;
    }

    void load(const std::vector<ResolvedPool>& pools)
    {
        buses.adopt(pools, BusSet::open_files(buses.find_wanted(pools)));
    }

    std::string refusal(const std::vector<ResolvedPool>& pools)
    {
        try {
            load(pools);
        } catch (const std::runtime_error& e) {
            return e.what();
        }
        return "taken";
    }
};

} // namespace

TEST_SUITE_BEGIN("bus_set");

TEST_CASE_FIXTURE(Bench, "pools have one bus together if they share it")
{
    load({pool("a"), pool("b"), pool("c", "x"), pool("d", "x"), pool("x")});
    CHECK(buses.find_present(pool("a")) != buses.find_present(pool("b")));
    CHECK(buses.find_present(pool("c", "x")) == buses.find_present(pool("d", "x")));
    CHECK(buses.find_present(pool("c", "x")) != buses.find_present(pool("x")));
    CHECK(buses.find_present(pool("e")) == nullptr);
}

TEST_CASE_FIXTURE(Bench,
                  "a pool does not move to another bus, where there would be a second leader")
{
    load({pool("a")});
    CHECK(refusal({pool("a", "x")}).starts_with("pool \"a\": bus.share changes"));
    CHECK(refusal({pool("b", "x")}) == "taken");
    CHECK(refusal({pool("a", "x"), pool("b", "x")}) == "taken"); // it was gone meanwhile
}

TEST_CASE_FIXTURE(Bench,
                  "a store's file does not change while the store is used, and is free afterwards")
{
    load({pool("a", {}, path("s"))});
    CHECK(refusal({pool("a", {}, path("t"))}).starts_with("pool \"a\": store.persist changes"));
    CHECK(refusal({pool("a")}).starts_with("pool \"a\": store.persist changes"));
    const auto member = buses.find_present(pool("a"))->router().join(
        {.pool = "a", .slot = 1, .worker = 1}, {}, [] {});
    load({pool("b")});
    CHECK(refusal({pool("c", {}, path("s"))}) ==
          "pool \"c\": store.persist: the store's file " + path("s") +
              " is in use, by another pool or another usher; give each its own"); // by a, yet
    const auto bus = buses.find_present(pool("a"));
    std::ignore = bus->router().join({}, {}, [] {}); // who listens from outside keeps no file
    bus->router().leave(member);
    events.publish({.kind = EventKind::exit, .pool = "a"});
    io.run();
    CHECK(buses.find_present(pool("a")) == nullptr);
    const std::string open = path("s");
    CHECK_NOTHROW(StoreFile{open}); // another usher could have it
    CHECK(refusal({pool("c", {}, path("s"))}) == "taken");
}

TEST_CASE_FIXTURE(Bench, "a pool that could not be added keeps neither its name nor its file")
{
    load({pool("a"), pool("b", "x", path("s"))});
    buses.forget("b");
    CHECK(buses.find_present(pool("b", "x")) == nullptr);
    CHECK(refusal({pool("a"), pool("b", "y", path("s"))}) == "taken");
}

TEST_CASE_FIXTURE(Bench, "who listens from outside keeps no bus, and is told that it is gone")
{
    load({pool("a"), pool("b", "x"), pool("c", "x")});
    const auto bus = buses.find_present(pool("a"));
    const auto shared = buses.find_present(pool("b", "x"));
    const auto listener = bus->router().join({}, {}, [] {});
    const auto other = shared->router().join({}, {}, [] {});
    load({pool("c", "x")});
    CHECK(buses.find_present(pool("a")) == nullptr);
    CHECK(bus->router().is_over(listener));
    CHECK_FALSE(shared->router().is_over(other));
}

TEST_CASE_FIXTURE(Bench, "who only looks whether files could be opened makes none")
{
    const auto wanted = buses.find_wanted({pool("a", {}, path("s")), pool("b")});
    REQUIRE(wanted.size() == 1);
    BusSet::check_files(wanted);
    CHECK(std::filesystem::is_empty(dir.path()));
    CHECK_THROWS_WITH_AS(BusSet::check_files(buses.find_wanted({pool("a", {}, path("no/s"))})),
                         doctest::Contains("pool \"a\": store.persist: the store's file "),
                         std::runtime_error);
}

TEST_CASE_FIXTURE(Bench, "events are messages to whoever has subscribed on the pool's bus")
{
    load({pool("a"), pool("b")});
    auto& router = buses.find_present(pool("a"))->router();
    const auto member = router.join({}, {}, [] {});
    events.publish({.kind = EventKind::exit, .message = "before", .pool = "a"});
    router.on_line(member, R"({"type":"subscribe","pattern":"usher.events.*"})", {});
    events.publish({.kind = EventKind::exit, .message = "of another", .pool = "b"});
    events.publish({.kind = EventKind::exit, .message = "its own", .pool = "a"});
    events.publish({.kind = EventKind::stopping, .message = "of all"});
    std::string heard;
    while (const auto line = router.outbox(member).next())
        heard += *line;
    CHECK(heard.find("before") == std::string::npos);
    CHECK(heard.find("of another") == std::string::npos);
    CHECK(heard.find("\"topic\":\"usher.events.exit\",\"from\":\"usher\"") != std::string::npos);
    CHECK(heard.find("\"message\":\"its own\"") != std::string::npos);
    CHECK(heard.find("\"message\":\"of all\"") != std::string::npos);
}

TEST_SUITE_END();

} // namespace usher::bus_set_test
