// SPDX-License-Identifier: MIT
#include "common/async/helper_looks.hpp"

#include "tests/support/eventually.hpp"
#include "tests/support/run_until.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <doctest/doctest.h>

#include <exception>
#include <functional>
#include <future>
#include <optional>

namespace usher::helper_looks_test {

using namespace usher::test;

TEST_SUITE_BEGIN("helper_looks");

TEST_CASE("one that hangs is known, whatever was looked at since")
{
    boost::asio::io_context io;
    std::promise<void> end;
    HelperLooks looks;
    const auto look = [&](std::function<bool()> what, boost::asio::steady_timer& deadline,
                          std::optional<bool>& found) {
        boost::asio::co_spawn(
            io, looks.look(std::move(what), deadline),
            [&found](const std::exception_ptr& error, const std::optional<bool>& answer) {
                found = !error && answer.has_value();
            });
    };
    boost::asio::steady_timer first_deadline{io, std::chrono::milliseconds{100}};
    boost::asio::steady_timer deadline{io, std::chrono::hours{1}};
    std::optional<bool> first;
    std::optional<bool> second;
    std::optional<bool> third;
    look(
        [&end] {
            end.get_future().wait();
            return true;
        },
        first_deadline, first);
    look([] { return true; }, deadline, second);
    REQUIRE(run_until(io, [&] { return first.has_value() && second.has_value(); }));
    CHECK(first == false);
    CHECK(second == true);

    CHECK(looks.is_looking());
    look([] { return true; }, deadline, third);
    REQUIRE(run_until(io, [&] { return third.has_value(); }));
    CHECK(third == false);
    end.set_value();
    CHECK(eventually([&] { return !looks.is_looking(); }));
    CHECK(eventually([] { return !HelperThreads::any_left(); }));
}

TEST_SUITE_END();

} // namespace usher::helper_looks_test
