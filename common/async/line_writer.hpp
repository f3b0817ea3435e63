// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <system_error>

namespace usher {

/// Writes lines to what may block, in a thread of its own: whoever brings lines never waits, and
/// neither does the end.
///
/// The thread lives as long as the writer and costs nothing while nothing waits, so that a system
/// that has no more of them holds up no lines.
class LineWriter {
public:
    using Clock = std::chrono::steady_clock;

    /// What waits at the most.
    static constexpr std::size_t most_waiting = 4UL * 1024 * 1024;

    /// Where the lines go; the writer's thread calls it.
    class Target {
    public:
        struct Result {
            std::size_t taken = 0;      ///< bytes not to be offered again, written or lost
            std::size_t lost_lines = 0; ///< of those
            std::error_code error;      ///< the last one; would-block: wait(), then the rest
        };

        Target() = default;
        Target(const Target&) = delete;
        Target& operator=(const Target&) = delete;
        virtual ~Target() = default;

        /// Writes whole lines, or the rest of them, as far as it can.
        [[nodiscard]] virtual Result write(std::string_view lines) = 0;

        /// Waits until write() takes something.
        virtual void wait() = 0;

        /// `lines` were not written, because there was no more time.
        virtual void on_given_up(std::size_t) {}
    };

    /// Hears what became of the lines, in the writer's thread or that of finish(), and must not
    /// call the writer.
    class Observer {
    public:
        /// There is room again; called once after room_or_tell() has said no.
        virtual void on_room() noexcept = 0;

        /// `lines` are lost, or something else failed; the writer goes on.
        virtual void on_failure(std::size_t lines, std::error_code error) noexcept = 0;

    protected:
        ~Observer() = default;
    };

    /// finish() waits for `patience` without progress, and for ten times that in all.  Throws
    /// std::system_error if no thread can be had, see start_thread().
    explicit LineWriter(std::shared_ptr<Target> target,
                        std::chrono::seconds patience = std::chrono::seconds{1});
    LineWriter(const LineWriter&) = delete;
    LineWriter& operator=(const LineWriter&) = delete;

    /// finish(), from now on, unless that is done.
    ~LineWriter();

    /// From now on nobody else hears anything; null: nobody does.
    void observe(Observer* observer) noexcept;

    /// Queues whole lines, unless that would make more than `limit` bytes wait; false then, and
    /// after finish().
    [[nodiscard]] bool write(std::string_view lines, std::size_t limit = most_waiting);

    /// True if fewer than `limit` bytes wait; otherwise on_room() tells when.
    [[nodiscard]] bool room_or_tell(std::size_t limit);

    /// True if nothing waits.
    [[nodiscard]] bool is_idle() const noexcept;

    /// Has `job` done in the thread between two batches of lines.
    void post(std::function<std::error_code()> job);

    /// Waits until all is written, or given up because nothing has moved since `since` or later.
    /// The observer hears of that, and of nothing after it.  The thread ends, and nothing is done
    /// when it is called again.
    void finish(Clock::time_point since) noexcept;

private:
    struct State;

    /// The thread's as well, which may be stuck in a write when we end; then it ends with the
    /// process.
    std::shared_ptr<State> state_;
};

} // namespace usher
