// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace usher {

/// Decides which Node worker gets the next connection of one listener: the one that has fewest
/// without a reply, among those the one that has been so for longest.  With a window of 1 this is
/// Node's own order.
///
/// Holds no descriptor and no clock: connections are numbers, and it is told the time.  A
/// connection is
///
///     offered → with a worker → accepted: it is the worker's, and forgotten here
///                             → refused, or the worker has no descriptor for it, or it is gone:
///                               it goes before all others to another worker
class NodeScheduler {
public:
    using Clock = std::chrono::steady_clock;
    using Worker = std::uint64_t;
    using Connection = std::uint64_t;

    /// A connection that some have refused, while the others cannot take any, or are none, is
    /// offered to all again after this long, then after twice as long, and so on: who hangs may
    /// never take it, and who is full tells nobody when that changes.
    static constexpr std::chrono::milliseconds first_refusal_pause{10};
    static constexpr std::chrono::milliseconds longest_refusal_pause{1'000};

    /// A worker that had no descriptor for a connection gets none for this long, then one to try.
    static constexpr std::chrono::milliseconds first_rest{100};
    static constexpr std::chrono::milliseconds longest_rest{5'000};

    /// So many connections that were refused may wait while others are accepted: whoever refused
    /// one, or hangs, keeps the rest from nobody.
    static constexpr std::size_t most_refused = 64;

    enum class Answer {
        accepted,
        refused,
        undelivered, ///< the worker had no descriptor for it
        unsent,      ///< none can be sent to the worker now, which gets none for first_rest
    };

    struct Assignment {
        Connection connection;
        Worker worker;
    };

    /// A worker may have `window` connections to which it has not replied.
    explicit NodeScheduler(unsigned window) noexcept : window_{window} {}

    void set_window(unsigned window) noexcept { window_ = window; }

    /// `worker` gets connections from now on, after those that are idle already.
    void add(Worker worker);

    /// It gets nothing more, and may still reply to what it has.
    void remove(Worker worker) noexcept;

    /// It is gone: what it has not replied to is for others.  Returns how many those are.
    std::size_t lose(Worker worker);

    /// True if a connection that is offered now goes to a worker at once, and it should be
    /// accepted.
    [[nodiscard]] bool has_room(Clock::time_point now) const noexcept;

    void offer(Connection connection) { waiting_.push_back({.connection = connection}); }

    /// A connection that goes to a worker now; call it until there is none.
    [[nodiscard]] std::optional<Assignment> next(Clock::time_point now);

    /// As next(), but whatever windows, rests and refusals say; nothing if there is no worker.
    [[nodiscard]] std::optional<Assignment> force();

    /// What became of a connection that `worker` was assigned.
    void on_answer(Worker worker, Connection connection, Answer answer, Clock::time_point now);

    /// When next() has something to say without anything else happening.
    [[nodiscard]] std::optional<Clock::time_point> wake_at(Clock::time_point now) const noexcept;

    /// Connections that no worker has.
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

    /// Whether any worker may get connections.
    [[nodiscard]] bool has_workers() const noexcept;

private:
    struct Waiting {
        [[nodiscard]] bool was_refused_by(Worker worker) const noexcept
        {
            return std::ranges::find(refused_by, worker) != refused_by.end();
        }

        Connection connection = 0;
        std::vector<Worker> refused_by{};
        unsigned rounds = 0;             ///< how often its refusals were to be forgotten
        Clock::time_point forgiven_at{}; ///< they are forgotten then; nothing: not known yet
    };

    struct Member {
        Worker worker = 0;
        bool active = true;
        std::uint64_t idle_since = 0;  ///< in replies, of all workers
        std::vector<Waiting> offers{}; ///< without a reply, oldest first
        unsigned undelivered = 0;      ///< in a row
        Clock::time_point resting_until{};
    };

    [[nodiscard]] bool may_take(const Member& member, Clock::time_point now) const noexcept;
    [[nodiscard]] Member* pick(const Waiting& waiting, Clock::time_point now) noexcept;
    static void forgive_in_time(Waiting& waiting, Clock::time_point now);
    [[nodiscard]] Member* find(Worker worker) noexcept;
    void forget_the_done() noexcept;

    unsigned window_;
    std::vector<Member> members_;
    std::deque<Waiting> waiting_;
    std::uint64_t replies_ = 0;
};

} // namespace usher
