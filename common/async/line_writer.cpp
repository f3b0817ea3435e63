// SPDX-License-Identifier: MIT
#include "common/async/line_writer.hpp"

#include "common/sys/process/blocked_signals.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace usher {

struct LineWriter::State {
    std::shared_ptr<Target> target;
    std::chrono::seconds patience;
    mutable std::mutex mutex;
    std::condition_variable moved; ///< something was written, or the thread has ended
    Observer* observer = nullptr;
    std::vector<std::function<std::error_code()>> jobs;
    std::string queue;
    std::string current;          ///< what the thread writes; it reads this without the lock
    std::size_t written = 0;      ///< of `current`
    std::size_t waiting = 0;      ///< bytes of `queue`, and of `current` those not written
    std::size_t wanted_below = 0; ///< on_room() is called when fewer bytes wait; 0: nobody asks
    Clock::time_point progress{};
    bool running = false; ///< the thread
    bool giving_up = false;

    [[nodiscard]] std::string_view rest() const
    {
        return std::string_view{current}.substr(written);
    }
    [[nodiscard]] std::size_t lines_left() const
    {
        return static_cast<std::size_t>(std::ranges::count(rest(), '\n') +
                                        std::ranges::count(queue, '\n'));
    }
    void do_jobs(std::unique_lock<std::mutex>& lock);
    void on_result(const Target::Result& result);
};

LineWriter::LineWriter(std::shared_ptr<Target> target, std::chrono::seconds patience)
    : state_{std::make_shared<State>()}
{
    state_->target = std::move(target);
    state_->patience = patience;
}

LineWriter::~LineWriter()
{
    finish(Clock::now());
}

void LineWriter::observe(Observer* observer) noexcept
{
    const std::lock_guard lock{state_->mutex};
    state_->observer = observer;
}

bool LineWriter::write(std::string_view lines, std::size_t limit)
{
    const std::lock_guard lock{state_->mutex};
    if (state_->waiting > 0 && state_->waiting + lines.size() > limit)
        return false;
    state_->queue += lines;
    state_->waiting += lines.size();
    start();
    return true;
}

void LineWriter::post(std::function<std::error_code()> job)
{
    const std::lock_guard lock{state_->mutex};
    state_->jobs.push_back(std::move(job));
    start();
}

bool LineWriter::room_or_tell(std::size_t limit)
{
    const std::lock_guard lock{state_->mutex};
    if (state_->waiting < limit)
        return true;
    state_->wanted_below = limit;
    return false;
}

bool LineWriter::is_idle() const noexcept
{
    const std::lock_guard lock{state_->mutex};
    return !state_->running && state_->waiting == 0;
}

void LineWriter::start()
{
    if (state_->running)
        return;
    const sys::BlockedSignals blocked;
    try {
        std::thread{[state = state_] { run(*state); }}.detach();
        state_->running = true;
    } catch (const std::system_error&) {
        if (state_->observer != nullptr)
            state_->observer->on_no_thread();
    }
}

void LineWriter::try_again()
{
    const std::lock_guard lock{state_->mutex};
    if (state_->waiting > 0 || !state_->jobs.empty())
        start();
}

void LineWriter::finish(Clock::time_point since) noexcept
{
    std::unique_lock lock{state_->mutex};
    if (!state_->running && state_->waiting > 0)
        start();
    if (!state_->running && state_->waiting > 0) { // without a thread only what needs no wait
        state_->current = std::string{state_->rest()} + std::exchange(state_->queue, {});
        state_->written = 0;
        state_->on_result(state_->target->write(state_->current));
    }
    const auto latest = since + 10 * state_->patience;
    for (auto last = since; state_->running; last = state_->progress) {
        const auto has_moved = [&] { return !state_->running || state_->progress > last; };
        if (!state_->moved.wait_until(lock, std::min(latest, last + state_->patience), has_moved) ||
            Clock::now() >= latest)
            break;
    }
    state_->giving_up = true;
    if (state_->observer != nullptr && state_->waiting > 0)
        state_->observer->on_failure(state_->lines_left(), make_error_code(std::errc::timed_out));
    state_->observer = nullptr;
    // A thread that is not stuck has its own last word.
    state_->moved.wait_for(lock, std::chrono::milliseconds{100}, [&] { return !state_->running; });
}

void LineWriter::State::do_jobs(std::unique_lock<std::mutex>& lock)
{
    for (const auto& job : std::exchange(jobs, {})) {
        lock.unlock();
        const auto error = job();
        lock.lock();
        if (error && observer != nullptr)
            observer->on_failure(0, error);
    }
}

void LineWriter::State::on_result(const Target::Result& result)
{
    waiting -= result.taken;
    written += result.taken;
    if (result.taken > 0)
        progress = Clock::now();
    moved.notify_all();
    if (observer == nullptr)
        return;
    if (waiting < wanted_below) {
        wanted_below = 0;
        observer->on_room();
    }
    if (result.error && result.error != std::errc::operation_would_block)
        observer->on_failure(result.lost_lines, result.error);
}

void LineWriter::run(State& state)
{
    std::unique_lock lock{state.mutex};
    for (;;) {
        if (state.rest().empty()) {
            state.do_jobs(lock); // never within a line
            state.written = 0;
            state.current = std::exchange(state.queue, {});
            if (state.current.empty() && state.jobs.empty())
                break;
            continue;
        }
        if (state.giving_up) {
            const auto lines = state.lines_left();
            state.queue.clear();
            lock.unlock();
            state.target->on_given_up(lines);
            lock.lock();
            break;
        }
        lock.unlock();
        const auto result = state.target->write(state.rest());
        lock.lock();
        state.on_result(result);
        if (result.error == std::errc::operation_would_block) {
            lock.unlock();
            state.target->wait();
            lock.lock();
        }
    }
    state.running = false;
    state.moved.notify_all();
}

} // namespace usher
