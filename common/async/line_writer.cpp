// SPDX-License-Identifier: MIT
#include "common/async/line_writer.hpp"

#include "common/async/start_thread.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace usher {

struct LineWriter::State {
    std::shared_ptr<Target> target;
    std::chrono::seconds patience;
    mutable std::mutex mutex;
    std::condition_variable more;  ///< something waits, or the end is near
    std::condition_variable moved; ///< something was written, or the thread is idle or has ended
    Observer* observer = nullptr;
    std::vector<std::function<std::error_code()>> jobs;
    std::string queue;
    std::string current;          ///< what the thread writes; it reads this without the lock
    std::size_t written = 0;      ///< of `current`
    std::size_t waiting = 0;      ///< bytes of `queue`, and of `current` those not written
    std::size_t wanted_below = 0; ///< on_room() is called when fewer bytes wait; 0: nobody asks
    Clock::time_point progress{};
    bool busy = false;      ///< the thread
    bool giving_up = false; ///< and nothing more is taken

    [[nodiscard]] bool has_work() const noexcept { return waiting > 0 || !jobs.empty(); }
    [[nodiscard]] bool is_idle() const noexcept { return !busy && !has_work(); }
    [[nodiscard]] std::string_view rest() const
    {
        return std::string_view{current}.substr(written);
    }
    [[nodiscard]] std::size_t lines_left() const
    {
        return static_cast<std::size_t>(std::ranges::count(rest(), '\n') +
                                        std::ranges::count(queue, '\n'));
    }
    void run();
    void wait_for_work(std::unique_lock<std::mutex>& lock);
    void do_jobs(std::unique_lock<std::mutex>& lock);
    void write_some(std::unique_lock<std::mutex>& lock);
    void give_up(std::unique_lock<std::mutex>& lock);
    void on_result(const Target::Result& result);
};

LineWriter::LineWriter(std::shared_ptr<Target> target, std::chrono::seconds patience)
    : state_{std::make_shared<State>()}
{
    state_->target = std::move(target);
    state_->patience = patience;
    start_thread([state = state_] { state->run(); });
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
    if (state_->giving_up || (state_->waiting > 0 && state_->waiting + lines.size() > limit))
        return false;
    state_->queue += lines;
    state_->waiting += lines.size();
    state_->more.notify_one();
    return true;
}

void LineWriter::post(std::function<std::error_code()> job)
{
    const std::lock_guard lock{state_->mutex};
    state_->jobs.push_back(std::move(job));
    state_->more.notify_one();
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
    return state_->is_idle();
}

void LineWriter::finish(Clock::time_point since) noexcept
{
    std::unique_lock lock{state_->mutex};
    if (state_->giving_up)
        return;
    const auto latest = since + 10 * state_->patience;
    for (auto last = since; !state_->is_idle(); last = state_->progress) {
        const auto has_moved = [&] { return state_->is_idle() || state_->progress > last; };
        if (!state_->moved.wait_until(lock, std::min(latest, last + state_->patience), has_moved) ||
            Clock::now() >= latest)
            break;
    }
    state_->giving_up = true;
    if (state_->observer != nullptr && state_->waiting > 0)
        state_->observer->on_failure(state_->lines_left(), make_error_code(std::errc::timed_out));
    state_->observer = nullptr;
    state_->more.notify_one();
    // A thread that is not stuck has its own last word.
    state_->moved.wait_for(lock, std::chrono::milliseconds{100}, [&] { return state_->is_idle(); });
}

/// The thread.  It stays until the end, since another could not be had when the limit of processes
/// is used up, which others can bring about.
void LineWriter::State::run()
{
    std::unique_lock lock{mutex};
    for (;;) {
        wait_for_work(lock);
        if (giving_up)
            break;
        if (!rest().empty()) {
            write_some(lock);
            continue;
        }
        do_jobs(lock); // never within a line
        written = 0;
        current = std::exchange(queue, {});
    }
    give_up(lock);
}

void LineWriter::State::wait_for_work(std::unique_lock<std::mutex>& lock)
{
    const auto some = [this] { return giving_up || has_work(); };
    if (!some()) {
        busy = false;
        moved.notify_all();
        more.wait(lock, some);
    }
    busy = true;
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

void LineWriter::State::write_some(std::unique_lock<std::mutex>& lock)
{
    lock.unlock();
    const auto result = target->write(rest());
    lock.lock();
    on_result(result);
    if (result.error == std::errc::operation_would_block) {
        lock.unlock();
        target->wait();
        lock.lock();
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

void LineWriter::State::give_up(std::unique_lock<std::mutex>& lock)
{
    const auto lines = lines_left();
    if (lines > 0) {
        lock.unlock();
        target->on_given_up(lines);
        lock.lock();
    }
    jobs.clear();
    waiting = 0;
    busy = false;
    moved.notify_all();
}

} // namespace usher
