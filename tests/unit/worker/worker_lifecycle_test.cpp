// SPDX-License-Identifier: MIT
#include "balancer/worker/worker_lifecycle.hpp"

#include <doctest/doctest.h>

#include <ostream>

namespace usher::worker_lifecycle_test {

using namespace std::chrono_literals;

using Action = WorkerLifecycle::Action;
using State = WorkerLifecycle::State;

namespace {

constexpr WorkerLifecycle::Clock::time_point start{};

/// A worker that is told of things at times counted from its start, which must not go back.
struct Fixture {
    PoolConfig config{.start_timeout = 30s, .drain_timeout = 20s, .stop_grace = 5s};
    WorkerLifecycle worker{config, start};

    State state() const { return worker.state(); }
    Action advance(std::chrono::milliseconds at) { return worker.advance(start + at); }

    bool has_deadline(std::chrono::milliseconds at) const
    {
        return worker.deadline() == start + at;
    }

    void make_ready() { worker.on_ready(); }

    void make_draining()
    {
        make_ready();
        worker.stop(start);
        REQUIRE(advance(0s) == Action::drain);
    }

    void make_terminating()
    {
        worker.retire(start);
        REQUIRE(advance(0s) == Action::terminate);
    }

    void make_killing()
    {
        make_terminating();
        REQUIRE(advance(5s) == Action::kill);
    }
};

} // namespace

TEST_SUITE_BEGIN("worker_lifecycle");

TEST_CASE_FIXTURE(Fixture, "a new worker is starting, with a deadline and nothing to do")
{
    CHECK(state() == State::starting);
    CHECK(has_deadline(30s));
    CHECK(advance(0s) == Action::none);
    CHECK(advance(29'999ms) == Action::none);
}

TEST_CASE_FIXTURE(Fixture, "a worker that says ready is ready, without a deadline")
{
    worker.on_ready();
    CHECK(state() == State::ready);
    CHECK_FALSE(worker.deadline());
    CHECK(advance(24h) == Action::none);
    CHECK_FALSE(worker.has_start_timed_out());
}

TEST_CASE_FIXTURE(Fixture, "the grace counts from the signal, however late that was sent")
{
    make_terminating();
    worker.on_signalled(start + 4s);
    CHECK(has_deadline(9s));
    CHECK(advance(8'999ms) == Action::none);
    CHECK(advance(9s) == Action::kill);
    worker.on_signalled(start + 10s); // no more
    CHECK(has_deadline(9s + WorkerLifecycle::last_grace));
}

TEST_CASE_FIXTURE(Fixture, "so it does for whoever is in a hurry")
{
    make_ready();
    worker.hurry(start);
    REQUIRE(advance(0s) == Action::terminate);
    CHECK(has_deadline(1s));
    worker.on_signalled(start + 900ms);
    CHECK(has_deadline(1'900ms));
    worker.hurry(start + 1s);
    CHECK(has_deadline(1'900ms));
}

TEST_CASE_FIXTURE(Fixture, "a worker that is probed has no more time than any other")
{
    worker.on_probing();
    CHECK(state() == State::probing);
    CHECK(has_deadline(30s));
    CHECK(advance(29'999ms) == Action::none);
    CHECK(advance(30s) == Action::terminate);
    CHECK(worker.has_start_timed_out());
    worker.on_ready(); // too late
    CHECK(state() == State::terminating);
}

TEST_CASE_FIXTURE(Fixture, "a worker that passes its probe is ready, and is probed once")
{
    worker.on_probing();
    worker.on_ready();
    CHECK(state() == State::ready);
    CHECK_FALSE(worker.deadline());
    worker.on_probing();
    CHECK(state() == State::ready);
}

TEST_CASE_FIXTURE(Fixture, "a worker that is stopped or retired while it is probed is terminated")
{
    worker.on_probing();
    SUBCASE("stopped")
    {
        worker.stop(start + 1s);
    }
    SUBCASE("retired")
    {
        worker.retire(start + 1s);
    }
    CHECK(advance(1s) == Action::terminate);
    CHECK(has_deadline(6s));
    CHECK_FALSE(worker.has_start_timed_out());
}

TEST_CASE_FIXTURE(Fixture, "a worker that is not ready in time is terminated, and that is known")
{
    CHECK(advance(30s) == Action::terminate);
    CHECK(state() == State::terminating);
    CHECK(worker.has_start_timed_out());
    CHECK(has_deadline(35s));
    CHECK(advance(30s) == Action::none);
}

TEST_CASE_FIXTURE(Fixture, "a worker that is stopped before it is ready is terminated")
{
    worker.stop(start + 1s);
    CHECK(state() == State::terminating);
    CHECK(advance(1s) == Action::terminate);
    CHECK(has_deadline(6s));
    CHECK_FALSE(worker.has_start_timed_out());
}

TEST_CASE_FIXTURE(Fixture,
                  "a worker that is stopped before it is ready drains if it has other work")
{
    SUBCASE("while it starts") {}
    SUBCASE("while it is probed")
    {
        worker.on_probing();
    }
    worker.stop(start + 1s, true);
    CHECK(state() == State::draining);
    CHECK(has_deadline(21s));
    CHECK(advance(1s) == Action::drain);
    worker.on_ready(); // too late
    CHECK(state() == State::draining);
    CHECK(advance(20'999ms) == Action::none);
    CHECK(advance(21s) == Action::terminate);
    CHECK_FALSE(worker.has_start_timed_out());
}

TEST_CASE_FIXTURE(Fixture, "other work makes no difference to one that is ready or on its way out")
{
    SUBCASE("ready")
    {
        make_ready();
        worker.stop(start, true);
        CHECK(advance(0s) == Action::drain);
    }
    SUBCASE("draining")
    {
        make_draining();
        worker.stop(start + 10s, true);
        CHECK(has_deadline(20s));
        CHECK(advance(10s) == Action::none);
    }
    SUBCASE("terminating")
    {
        make_terminating();
        worker.stop(start + 1s, true);
        CHECK(state() == State::terminating);
        CHECK(advance(1s) == Action::none);
    }
}

TEST_CASE_FIXTURE(Fixture, "a worker that is retired before it is ready is terminated")
{
    worker.retire(start + 1s);
    CHECK(advance(1s) == Action::terminate);
    CHECK(has_deadline(6s));
}

TEST_CASE_FIXTURE(Fixture, "a ready worker that is stopped drains")
{
    make_ready();
    worker.stop(start + 1s);
    CHECK(state() == State::draining);
    CHECK(has_deadline(21s));
    CHECK(advance(1s) == Action::drain);
    CHECK(advance(1s) == Action::none);
}

TEST_CASE_FIXTURE(Fixture, "a ready worker that is retired is terminated")
{
    make_ready();
    worker.retire(start + 1s);
    CHECK(advance(1s) == Action::terminate);
    CHECK(has_deadline(6s));
}

TEST_CASE_FIXTURE(Fixture, "a worker that does not drain in time is terminated")
{
    make_draining();
    CHECK(advance(19'999ms) == Action::none);
    CHECK(advance(20s) == Action::terminate);
    CHECK(state() == State::terminating);
    CHECK(has_deadline(25s));
}

TEST_CASE_FIXTURE(Fixture, "a draining worker that has nothing left to do is terminated at once")
{
    make_draining();
    worker.on_idle(start + 1s);
    CHECK(advance(1s) == Action::terminate);
    CHECK(state() == State::terminating);
    CHECK(has_deadline(6s));
    worker.on_idle(start + 2s);
    CHECK(advance(2s) == Action::none);
}

TEST_CASE_FIXTURE(Fixture, "a worker that is not draining may be idle")
{
    worker.on_idle(start);
    CHECK(state() == State::starting);
    make_ready();
    worker.on_idle(start);
    CHECK(state() == State::ready);
    CHECK(advance(0s) == Action::none);
}

TEST_CASE_FIXTURE(Fixture, "a draining worker that is retired is terminated at once")
{
    make_draining();
    worker.retire(start + 1s);
    CHECK(advance(1s) == Action::terminate);
    CHECK(has_deadline(6s));
}

TEST_CASE_FIXTURE(Fixture, "a worker that outlives the grace is killed, once and for all")
{
    make_terminating();
    CHECK(advance(4'999ms) == Action::none);
    CHECK(advance(5s) == Action::kill);
    CHECK(state() == State::killing);
    CHECK(advance(14s) == Action::none);
}

TEST_CASE_FIXTURE(Fixture, "stopping twice does not move the deadline")
{
    make_draining();
    worker.stop(start + 10s);
    CHECK(has_deadline(20s));
    CHECK(advance(10s) == Action::none);
}

TEST_CASE_FIXTURE(Fixture, "retiring twice does not move the deadline")
{
    make_terminating();
    worker.retire(start + 3s);
    worker.stop(start + 3s);
    CHECK(has_deadline(5s));
    CHECK(advance(3s) == Action::none);
}

TEST_CASE_FIXTURE(Fixture, "a worker that says ready too late stays on its way out")
{
    SUBCASE("while it drains")
    {
        make_draining();
    }
    SUBCASE("while it is terminated")
    {
        make_terminating();
    }
    SUBCASE("while it is killed")
    {
        make_killing();
    }
    const auto before = state();
    worker.on_ready();
    CHECK(state() == before);
}

TEST_CASE_FIXTURE(Fixture, "in a hurry SIGTERM comes at once and the grace is a second")
{
    SUBCASE("for a starting worker") {}
    SUBCASE("for a ready worker")
    {
        make_ready();
    }
    SUBCASE("for a draining worker")
    {
        make_draining();
    }
    worker.hurry(start + 1s);
    CHECK(advance(1s) == Action::terminate);
    CHECK(has_deadline(2s));
    CHECK(advance(2s) == Action::kill);
}

TEST_CASE_FIXTURE(Fixture, "a hurry shortens the grace of a worker that is being terminated")
{
    make_terminating();
    worker.hurry(start + 1s);
    CHECK(advance(1s) == Action::none); // SIGTERM was sent already
    CHECK(has_deadline(2s));
    CHECK(advance(2s) == Action::kill);
}

TEST_CASE_FIXTURE(Fixture, "a hurry never lengthens the grace")
{
    make_terminating();
    worker.hurry(start + 4'500ms);
    CHECK(has_deadline(5s));
}

TEST_CASE("a hurry does not lengthen a grace that is shorter than a second")
{
    const PoolConfig config{.start_timeout = 30s, .drain_timeout = 20s, .stop_grace = 200ms};
    WorkerLifecycle worker{config, start};
    worker.hurry(start);
    CHECK(worker.deadline() == start + 200ms);
}

TEST_CASE_FIXTURE(Fixture, "there is nothing to hurry once a worker is killed")
{
    make_killing();
    worker.hurry(start + 6s);
    worker.retire(start + 6s);
    CHECK(state() == State::killing);
    CHECK(advance(6s) == Action::none);
}

TEST_CASE_FIXTURE(Fixture, "a worker that SIGKILL does not end is given up")
{
    make_killing();
    CHECK(has_deadline(15s));
    CHECK(advance(14s) == Action::none);
    CHECK(advance(15s) == Action::give_up);
    CHECK(state() == State::killing);
}

TEST_CASE_FIXTURE(Fixture, "what is to be done comes before the deadline of the next state")
{
    make_ready();
    worker.stop(start);
    CHECK(advance(1h) == Action::drain); // asked much too late
    CHECK(advance(1h) == Action::terminate);
    CHECK(advance(1h) == Action::none);
    CHECK(advance(1h + 5s) == Action::kill);
}

TEST_CASE_FIXTURE(Fixture, "other limits count from where the old ones did, in every state")
{
    const auto shorten = [this] {
        config.start_timeout = 3s;
        config.drain_timeout = 2s;
        config.stop_grace = 1s;
    };

    shorten();
    CHECK(has_deadline(3s));
    worker.on_probing();
    CHECK(has_deadline(3s));
    CHECK(advance(2'999ms) == Action::none);

    make_ready();
    CHECK_FALSE(worker.deadline());
    worker.stop(start + 10s);
    CHECK(advance(10s) == Action::drain);
    CHECK(has_deadline(12s));
    config.drain_timeout = 7s;
    config.stop_grace = 9s;
    CHECK(has_deadline(17s));
    CHECK(advance(17s) == Action::terminate);
    CHECK(has_deadline(26s));
    shorten();
    CHECK(advance(18s) == Action::kill);
}

TEST_SUITE_END();

} // namespace usher::worker_lifecycle_test
