// SPDX-License-Identifier: MIT
#include "balancer/watch/change_gate.hpp"

#include <doctest/doctest.h>

#include <string>

namespace usher::change_gate_test {

using namespace std::chrono_literals;
using Time = ChangeGate::Clock::time_point;

namespace {

struct Gate {
    ChangeGate gate{200ms};

    void change(std::chrono::milliseconds when, const std::string& path = "a")
    {
        gate.on_change(path, Time{when});
    }
    std::string taken(std::chrono::milliseconds when)
    {
        return gate.take(Time{when}).value_or("nothing");
    }
};

} // namespace

TEST_SUITE_BEGIN("change_gate");

TEST_CASE_FIXTURE(Gate, "without a change there is nothing to wait for")
{
    CHECK_FALSE(gate.due());
    CHECK(taken(9'999ms) == "nothing");
}

TEST_CASE_FIXTURE(Gate, "it is time when nothing has changed for the delay, once")
{
    change(1'000ms);
    CHECK((gate.due() == Time{1'200ms}));
    CHECK(taken(1'199ms) == "nothing");
    CHECK(taken(1'200ms) == "a");
    CHECK_FALSE(gate.due());
    CHECK(taken(9'999ms) == "nothing");
}

TEST_CASE_FIXTURE(Gate, "further changes put it off, and the first is named")
{
    change(1'000ms, "first");
    change(1'150ms, "second");
    CHECK(taken(1'200ms) == "nothing");
    change(1'300ms, "third");
    CHECK((gate.due() == Time{1'500ms}));
    CHECK(taken(1'500ms) == "first");
}

TEST_CASE_FIXTURE(Gate, "changes without end put it off for two seconds at most")
{
    for (auto when = 1'000ms; when <= 3'000ms; when += 100ms)
        change(when);
    CHECK((gate.due() == Time{3'000ms}));
    CHECK(taken(3'000ms) == "a");
}

TEST_CASE_FIXTURE(Gate, "what changes after it was taken is another change")
{
    change(0ms);
    CHECK(taken(200ms) == "a");
    change(300ms, "b");
    CHECK((gate.due() == Time{500ms}));
    CHECK(taken(700ms) == "b");
}

TEST_CASE("a delay of more than two seconds holds")
{
    ChangeGate gate{5s};
    gate.on_change("a", Time{});
    gate.on_change("a", Time{4s});
    CHECK((gate.due() == Time{5s}));
}

TEST_SUITE_END();

} // namespace usher::change_gate_test
