// SPDX-License-Identifier: MIT
#include "balancer/output/file_writer.hpp"

#include "common/sys/process/blocked_signals.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace usher {

namespace {

using Clock = std::chrono::steady_clock;

/// After this long without progress, nobody will read that FIFO before the master has ended.
constexpr std::chrono::seconds last_patience{1};

/// How often a file that takes nothing is tried again: no event tells for all kinds of them.
constexpr std::chrono::milliseconds retry_interval{10};

} // namespace

class FileWriter::File {
public:
    File(LogFile log_file, Observer& its_observer)
        : file{std::move(log_file)}, observer{its_observer}
    {
    }

    // The thread's own.
    LogFile file;
    std::string current;
    std::size_t written = 0; ///< of `current`

    // Under the lock.
    Observer& observer;
    std::string queue;
    std::size_t waiting = 0;      ///< bytes of `queue`, and of `current` those not written
    std::size_t wanted_below = 0; ///< on_room() is called when fewer bytes wait; 0: nobody asks
    bool reopen = false;
    bool busy = false;    ///< the thread may be about to call the observer
    bool removed = false; ///< the observer is gone
    std::optional<LogFile::Limits> limits;
};

FileWriter::~FileWriter()
{
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

std::shared_ptr<FileWriter::File> FileWriter::add(LogFile file, Observer& observer)
{
    auto added = std::make_shared<File>(std::move(file), observer);
    const std::lock_guard lock{mutex_};
    if (!thread_.joinable()) {
        // Signals are the event loop's, and a file over RLIMIT_FSIZE is an error and not our end.
        const sys::BlockedSignals blocked;
        thread_ = std::thread{[this] { run(); }};
    }
    files_.push_back(added);
    return added;
}

bool FileWriter::remove(const std::shared_ptr<File>& file)
{
    const std::lock_guard lock{mutex_};
    if (file->waiting > 0 || file->busy)
        return false;
    file->removed = true;
    std::erase(files_, file);
    return true;
}

bool FileWriter::write(File& file, std::string_view lines, std::size_t limit)
{
    {
        const std::lock_guard lock{mutex_};
        if (file.waiting > 0 && file.waiting + lines.size() > limit)
            return false;
        file.queue += lines;
        file.waiting += lines.size();
    }
    changed_.notify_one();
    return true;
}

bool FileWriter::room_or_tell(File& file, std::size_t limit)
{
    const std::lock_guard lock{mutex_};
    if (file.waiting < limit)
        return true;
    file.wanted_below = limit;
    return false;
}

void FileWriter::set_limits(File& file, LogFile::Limits limits)
{
    const std::lock_guard lock{mutex_};
    file.limits = limits;
}

void FileWriter::reopen()
{
    {
        const std::lock_guard lock{mutex_};
        for (const auto& file : files_)
            file->reopen = true;
    }
    changed_.notify_one();
}

void FileWriter::run()
{
    auto progress = Clock::now();
    std::unique_lock lock{mutex_};
    for (;;) {
        const auto has_work = [](const auto& f) { return f->waiting > 0 || f->reopen; };
        if (std::ranges::none_of(files_, has_work)) {
            if (stopping_)
                return;
            changed_.wait(lock);
            progress = Clock::now();
            continue;
        }

        auto files = files_; // work() is done without the lock
        lock.unlock();
        bool moved = false;
        for (const auto& file : files)
            moved = work(*file) || moved;
        files.clear();
        lock.lock();

        if (moved)
            progress = Clock::now();
        else if (stopping_ && Clock::now() - progress > last_patience)
            break;
        else
            changed_.wait_for(lock, retry_interval);
    }

    for (const auto& file : files_)
        if (file->waiting > 0) {
            const auto rest = std::string_view{file->current}.substr(file->written);
            const auto lines =
                std::ranges::count(rest, '\n') + std::ranges::count(file->queue, '\n');
            file->observer.on_failure(static_cast<std::size_t>(lines),
                                      make_error_code(std::errc::operation_would_block));
        }
}

/// True if anything could be done for `file`.
bool FileWriter::work(File& file)
{
    const bool moved = advance(file);
    const std::lock_guard lock{mutex_};
    file.busy = false;
    return moved;
}

bool FileWriter::advance(File& file)
{
    bool reopen = false;
    {
        const std::lock_guard lock{mutex_};
        if (file.removed)
            return false;
        file.busy = true;
        if (const auto limits = std::exchange(file.limits, std::nullopt))
            file.file.set_limits(*limits);
        // Not within a line of which the FIFO has taken the beginning.
        if (file.current.empty()) {
            std::swap(file.current, file.queue);
            reopen = std::exchange(file.reopen, false);
        }
    }

    if (reopen)
        if (const auto error = file.file.reopen())
            file.observer.on_failure(0, error);
    if (file.current.empty())
        return reopen;

    const auto result = file.file.write(std::string_view{file.current}.substr(file.written));
    file.written += result.taken;
    if (file.written == file.current.size()) {
        file.current.clear();
        file.written = 0;
    }

    bool tell = false;
    {
        const std::lock_guard lock{mutex_};
        file.waiting -= result.taken;
        if (file.wanted_below > 0 && file.waiting < file.wanted_below) {
            file.wanted_below = 0;
            tell = true;
        }
    }
    if (tell)
        file.observer.on_room();
    if (result.error && result.error != std::errc::operation_would_block)
        file.observer.on_failure(result.lost_lines, result.error);
    return result.taken > 0;
}

} // namespace usher
