// SPDX-License-Identifier: MIT
#include "balancer/systemd/service_state.hpp"

#include <doctest/doctest.h>

namespace usher::service_state_test {

using namespace usher::systemd;
using namespace std::chrono_literals;
using Time = std::chrono::steady_clock::time_point;

namespace {

/// A pool of `workers`, of which `ready` are ready for the first time and the rest is awaited.
PoolFacts pool(unsigned ready, unsigned workers)
{
    return {.name = "api",
            .workers = workers,
            .ready = ready,
            .coming = workers - ready,
            .awaited = workers - ready,
            .alive = workers,
            .was_ready = ready > 0};
}

PoolFacts named(std::string name, PoolFacts facts)
{
    facts.name = std::move(name);
    return facts;
}

/// A state that has said READY of one worker.
ServiceState running()
{
    ServiceState state;
    REQUIRE(state.on_change({pool(1, 1)}) == "READY=1\nSTATUS=1 of 1 worker ready, generation 1");
    return state;
}

} // namespace

TEST_SUITE_BEGIN("service_state");

TEST_CASE("READY is said once, when the last worker is ready; a status only when it is another")
{
    ServiceState state;
    CHECK(state.on_change({pool(0, 2)}) == "STATUS=starting: 0 of 2 workers ready, generation 1");
    CHECK(state.on_change({pool(0, 2)}).empty());
    CHECK(state.on_change({pool(1, 2)}) == "STATUS=starting: 1 of 2 workers ready, generation 1");
    CHECK(state.on_change({pool(2, 2)}) == "READY=1\nSTATUS=2 of 2 workers ready, generation 1");
    CHECK(state.on_change({pool(2, 2)}).empty());
    CHECK(state.on_change({pool(1, 2)}) == "STATUS=1 of 2 workers ready, generation 1");
    CHECK(state.on_change({pool(2, 2)}) == "STATUS=2 of 2 workers ready, generation 1");
}

TEST_CASE("a pool whose workers were sent away says so")
{
    auto state = running();
    auto facts = pool(0, 1);
    facts.coming = facts.awaited = 0;
    facts.was_ready = true;
    CHECK(state.on_change({facts}) == "STATUS=0 of 1 worker ready, drained, generation 1");
}

TEST_CASE("a worker that was ready counts, also if it has died since")
{
    ServiceState state;
    auto facts = pool(1, 2);
    facts.awaited = 0;
    CHECK(state.on_change({facts}) == "READY=1\nSTATUS=1 of 2 workers ready, generation 1");
}

TEST_CASE("as many as may be unavailable are not waited for, but one must be ready")
{
    ServiceState state;
    auto facts = pool(0, 3);
    facts.may_lack = 3;
    CHECK(state.on_change({facts}) == "STATUS=starting: 0 of 3 workers ready, generation 1");
    facts = pool(1, 3);
    facts.may_lack = 1;
    CHECK(state.on_change({facts}) == "STATUS=starting: 1 of 3 workers ready, generation 1");
    facts.may_lack = 2;
    CHECK(state.on_change({facts}) == "READY=1\nSTATUS=1 of 3 workers ready, generation 1");
}

TEST_CASE("every pool must have its minimum; what has given up is not waited for")
{
    ServiceState state;
    auto other = named("b", pool(0, 2));
    CHECK(state.on_change({pool(1, 1), other}) ==
          "STATUS=starting: api: 1 of 1 worker ready, generation 1; "
          "b: 0 of 2 workers ready, generation 1");
    other.failed = 1;
    other.awaited = 1;
    CHECK(state.on_change({pool(1, 1), other}) ==
          "STATUS=starting: api: 1 of 1 worker ready, generation 1; "
          "b: 0 of 2 workers ready, 1 failed, generation 1");
    other.failed = 2;
    other.awaited = 0;
    CHECK(state.on_change({pool(1, 1), other}) ==
          "READY=1\nSTATUS=api: 1 of 1 worker ready, generation 1; "
          "b: 0 of 2 workers ready, 2 failed, generation 1");
}

TEST_CASE("a pool that a reload has removed is neither waited for nor spoken of, until the stop")
{
    ServiceState state;
    auto removed = named("old", pool(0, 2));
    removed.is_leaving = true;
    CHECK(state.on_change({removed, pool(1, 1)}) ==
          "READY=1\nSTATUS=1 of 1 worker ready, generation 1");
    CHECK(state.on_stopping({removed, pool(1, 1)}) ==
          "STOPPING=1\nSTATUS=stopping: 3 workers left");
}

TEST_CASE("when all have given up there is nothing to be ready with")
{
    ServiceState state;
    auto facts = pool(0, 1);
    facts.failed = 1;
    facts.awaited = 0;
    CHECK(state.on_change({facts}) ==
          "STATUS=starting: 0 of 1 worker ready, 1 failed, generation 1");
    CHECK(state.on_stopping({}, "nothing is left") == "STOPPING=1\nSTATUS=nothing is left");
}

TEST_CASE("a reload is announced with the time, and READY ends it, failed or not")
{
    auto state = running();
    auto facts = pool(1, 1);
    CHECK(state.on_reload_started({facts}, Time{12'345us}) ==
          "RELOADING=1\nMONOTONIC_USEC=12345\nSTATUS=reloading: 1 of 1 worker ready, generation "
          "1");
    CHECK(state.on_change({facts}).empty());
    facts.generation = 2;
    CHECK(state.on_reload_ended({facts}, "") ==
          "READY=1\nSTATUS=1 of 1 worker ready, generation 2");

    CHECK(state.on_reload_started({facts}, Time{12'346us}).starts_with("RELOADING=1\n"));
    CHECK(state.on_reload_ended({facts}, "reload failed:\nREADY=0") ==
          "READY=1\nSTATUS=1 of 1 worker ready, generation 2; reload failed: READY=0");
    CHECK(state.on_reload_started({facts}, Time{12'347us}).starts_with("RELOADING=1\n"));
    CHECK(state.on_reload_ended({facts}, "") ==
          "READY=1\nSTATUS=1 of 1 worker ready, generation 2");
}

TEST_CASE("a reload while starting is not announced, and its end is not the start's")
{
    ServiceState state;
    CHECK(state.on_change({pool(0, 1)}) == "STATUS=starting: 0 of 1 worker ready, generation 1");
    CHECK(state.on_reload_started({pool(0, 1)}, Time{1us}).empty());
    CHECK(state.on_reload_ended({pool(0, 1)}, "no").empty());
    CHECK(state.on_change({pool(1, 1)}) == "READY=1\nSTATUS=1 of 1 worker ready, generation 1; no");
}

TEST_CASE("STOPPING is said once, and nothing but a status after it")
{
    auto state = running();
    auto facts = pool(1, 1);
    facts.alive = 2;
    CHECK(state.on_stopping({facts}) == "STOPPING=1\nSTATUS=stopping: 2 workers left");
    CHECK(state.on_stopping({facts}).empty());
    facts.alive = 1;
    CHECK(state.on_reload_started({facts}, Time{1us}) == "STATUS=stopping: 1 worker left");
    CHECK(state.on_reload_ended({facts}, "usher is stopping").empty());
    CHECK(state.on_stopping({}, "stopped") == "STATUS=stopped");
}

TEST_CASE("a long status is cut, not within a character")
{
    auto state = running();
    CHECK_FALSE(state.on_reload_started({pool(1, 1)}, Time{1us}).empty());
    std::string trouble;
    for (int i = 0; i < 1'000; ++i)
        trouble += "ä";
    for (const auto* const before : {"", "x"}) { // so that one of the two has it at the cut
        const auto text = state.on_reload_ended({pool(1, 1)}, before + trouble);
        CHECK(text.size() < 1'100);
        CHECK(text.ends_with("ä..."));
    }
}

TEST_SUITE_END();

} // namespace usher::service_state_test
