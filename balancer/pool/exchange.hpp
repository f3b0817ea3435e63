// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace usher {

/// Decides how the workers of a pool are exchanged: reload, restart, scale, recycle, drain, and the
/// way back when a successor fails.  Told events and the time, it answers with actions; it starts
/// nothing, waits for nothing and knows no process.
///
/// A *worker* here is whoever keeps a place filled (WorkerSlot), for as long as it does: one that
/// is kept starts another process when one has ended, one on trial ends with its first failure.
///
/// Whatever happens: after close() or stop() nothing starts.  When an operation has ended, each
/// place that had a worker has one that serves or starts, unless it was to lose it.  With
/// successors first there are never more than `at_once` workers above the number of places,
/// otherwise none; and never do more than `at_once` places wait for a worker because of an
/// operation.  Workers that leave do not count where successors come first: they may take as long
/// as their clients.
class Exchange {
public:
    using Clock = std::chrono::steady_clock;

    /// Never used twice; 0 is none.
    using Worker = std::uint64_t;

    struct Rule {
        std::size_t at_once = 1;           ///< so many places together
        bool successor_first = true;       ///< or the old worker's end first
        std::chrono::milliseconds soak{0}; ///< so long the old ones wait behind the new

        friend auto operator<=>(const Rule&, const Rule&) = default;
    };

    struct Plan {
        std::vector<unsigned> replaced; ///< places that get another worker, from 1 on
        unsigned places = 0;            ///< how many there are afterwards; new ones get a worker
        Rule rule{};
        bool is_new_generation = false; ///< if it fails, all that was exchanged is exchanged back
    };

    struct Action {
        enum class Kind {
            start,   ///< `worker` on trial in `place`, as the plan says, or `like` another
            keep,    ///< `worker` is on trial no longer
            route,   ///< it gets the connections of `place`
            unroute, ///< it gets nothing from now on
            stop,    ///< it gets nothing from now on, drains and ends
            vacate,  ///< `place` is there no longer, or stays empty
        };

        Kind kind;
        unsigned place = 0;
        Worker worker = 0;
        Worker like = 0; ///< of `start`: it is to be of the kind that this one is of; or 0

        friend auto operator<=>(const Action&, const Action&) = default;
    };

    /// How an operation has ended.
    struct Result {
        enum class Kind { done, failed, rolled_back, stopped };

        Kind kind = Kind::done;
        Worker culprit = 0;             ///< who failed
        std::vector<unsigned> left_new; ///< places whose old worker could not be had again
        std::vector<unsigned> awaited; ///< places of which nobody can be had, and that are tried on

        friend auto operator<=>(const Result&, const Result&) = default;
    };

    /// Gives each of `places` a worker that is kept and routed from the start; once.
    void fill(unsigned places);

    /// Begins an operation; only if is_idle(), and not after close().
    void begin(Plan plan);

    /// Empties a place until an operation fills it again; under the same conditions.
    void drain(unsigned place);

    /// A process of `worker` is ready, or has ended and another is to follow.
    void on_ready(Worker worker);
    void on_down(Worker worker);

    /// `worker` has nothing left and starts nothing more.
    void on_ended(Worker worker) { members_.erase(worker); }

    /// Nobody comes any more, and an operation under way ends; who serves goes on until stop().
    void close();

    /// Everybody leaves, and nobody comes.
    void stop();

    /// What is to be done next; nothing until something happens, or deadline() comes.
    [[nodiscard]] std::optional<Action> next(Clock::time_point now);

    [[nodiscard]] std::optional<Clock::time_point> deadline() const noexcept { return soak_end_; }

    [[nodiscard]] bool is_idle() const noexcept { return phase_ == Phase::idle; }

    /// True if there is no worker that has not ended.
    [[nodiscard]] bool is_empty() const noexcept { return members_.empty(); }
    [[nodiscard]] bool is_stopping() const noexcept { return stopping_; }

    /// How the last operation has ended; only if is_idle().
    [[nodiscard]] const Result& result() const noexcept { return result_; }

    [[nodiscard]] unsigned places() const noexcept { return static_cast<unsigned>(seats_.size()); }

    /// Who gets the connections of a place, or was the last to; 0 if nobody ever was.
    [[nodiscard]] Worker current(unsigned number) const noexcept
    {
        return seats_[number - 1].current;
    }

    /// True if some serve, but none of them in the first `places`.
    [[nodiscard]] bool would_lose_all(unsigned places) const noexcept;

    friend auto operator<=>(const Exchange&, const Exchange&) = default;

private:
    enum class Phase { idle, clearing, trying, soaking };

    enum class Life { starting, serving, leaving };

    struct Member {
        unsigned place;
        Life life;
        friend auto operator<=>(const Member&, const Member&) = default;
    };

    struct Seat {
        Worker current = 0;      ///< gets the connections
        Worker next = 0;         ///< on trial, to follow it
        Worker before = 0;       ///< whom `current` has followed in this operation
        bool had_worker = false; ///< when its exchange began
        friend auto operator<=>(const Seat&, const Seat&) = default;
    };

    [[nodiscard]] Seat& seat(unsigned place) { return seats_[place - 1]; }
    [[nodiscard]] const Member* find(Worker worker) const noexcept;
    [[nodiscard]] bool stays(Worker worker) const noexcept;
    [[nodiscard]] bool is_ready(Worker worker) const noexcept;
    [[nodiscard]] bool is_clear(unsigned place) const noexcept;

    /// True if the operation has failed, and what was exchanged is exchanged back.
    [[nodiscard]] bool is_back() const noexcept { return result_.kind != Result::Kind::done; }

    void act(Action::Kind kind, unsigned place, Worker worker, Worker like = 0);
    [[nodiscard]] Worker start(unsigned place, Worker like = 0);
    void start_kept(unsigned place, Worker like);
    void keep(Worker worker);
    void dismiss(Worker worker);

    [[nodiscard]] bool move_on(Clock::time_point now);
    void next_batch(Clock::time_point now);
    void try_batch();
    [[nodiscard]] bool look_at_trials(Clock::time_point now);
    [[nodiscard]] Worker find_lost() const noexcept;
    void switch_over(unsigned place);
    void fail(Result::Kind kind, Worker culprit, Clock::time_point now);
    void take_back(unsigned place);
    void leave_new(unsigned place);
    void commit();
    void end();

    std::vector<Seat> seats_;
    std::map<Worker, Member> members_; ///< all that have not ended
    Worker last_worker_ = 0;
    bool stopping_ = false;

    // Of the operation under way.
    Phase phase_ = Phase::idle;
    Rule rule_;
    unsigned places_before_ = 0;
    unsigned places_after_ = 0;
    bool is_new_generation_ = false;
    std::deque<unsigned> queue_;      ///< places whose turn comes
    std::vector<unsigned> batch_;     ///< places whose turn it is
    std::vector<unsigned> exchanged_; ///< places whose `current` is of this operation
    std::optional<Clock::time_point> soak_end_;
    Result result_;
    std::deque<Action> actions_;
};

} // namespace usher
