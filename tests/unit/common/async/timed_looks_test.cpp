// SPDX-License-Identifier: MIT
#include "common/async/timed_looks.hpp"

#include "tests/support/eventually.hpp"
#include "tests/support/run_until.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>

namespace usher::timed_looks_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    boost::asio::io_context io;
    std::promise<void> end; ///< of those that hang
    std::shared_future<void> ended{end.get_future()};
    ~Fixture()
    {
        end.set_value();
        CHECK(eventually([] { return !HelperThreads::any_left(); }));
    }

    std::function<std::string()> hang()
    {
        return [this] {
            ended.wait();
            return std::string{"late"};
        };
    }

    /// What comes of a look: text, "nothing", or why not.
    void start(TimedLooks& looks, std::function<std::string()> look, std::string& outcome)
    {
        boost::asio::co_spawn(
            io, looks.look(std::move(look)),
            [&outcome](const std::exception_ptr& error, const std::optional<std::string>& text) {
                outcome = error ? "failure" : text.value_or("nothing");
            });
    }
    std::string look(TimedLooks& looks, std::function<std::string()> look)
    {
        std::string outcome;
        start(looks, std::move(look), outcome);
        REQUIRE(run_until(io, [&] { return !outcome.empty(); }));
        return outcome;
    }
    void check_begins_none(TimedLooks& looks)
    {
        bool begun = false;
        CHECK(look(looks, [&begun] {
                  begun = true;
                  return std::string{"found"};
              }) == "nothing");
        CHECK_FALSE(begun);
    }
};

} // namespace

TEST_SUITE_BEGIN("timed_looks");

TEST_CASE_FIXTURE(Fixture, "what hangs is given up, and the next one goes on")
{
    TimedLooks looks{io.get_executor(), 50ms};
    CHECK(look(looks, hang()) == "nothing");
    CHECK(look(looks, [] { return std::string{"found"}; }) == "found");
    CHECK(look(looks, []() -> std::string { throw std::runtime_error{"no"}; }) == "failure");
    CHECK_FALSE(looks.is_called_off());
}

TEST_CASE_FIXTURE(Fixture, "where too many hang none is begun before one has ended")
{
    TimedLooks looks{io.get_executor(), 50ms};
    const auto find = [] { return std::string{"found"}; };
    for (std::size_t i = 1; i < TimedLooks::most_hanging; ++i)
        CHECK(look(looks, hang()) == "nothing");
    CHECK(look(looks, find) == "found");
    std::promise<void> last;
    CHECK(look(looks, [&last] {
              last.get_future().wait();
              return std::string{"late"};
          }) == "nothing");
    check_begins_none(looks);
    last.set_value();
    CHECK(eventually([&] { return look(looks, find) == "found"; }));
}

TEST_CASE_FIXTURE(Fixture, "all are called off at once, also those that come later")
{
    TimedLooks looks{io.get_executor()};
    std::string first;
    std::string second;
    start(looks, hang(), first);
    start(looks, hang(), second);
    run_ready(io);
    CHECK(first.empty());
    looks.call_off();
    REQUIRE(run_until(io, [&] { return !first.empty() && !second.empty(); }));
    CHECK(first == "nothing");
    CHECK(second == "nothing");
    check_begins_none(looks);
    CHECK(looks.is_called_off());
}

TEST_SUITE_END();

} // namespace usher::timed_looks_test
