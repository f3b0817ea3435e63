// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/output/log_file.hpp"

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace usher {

/// Writes log files in a thread of its own, the master's only one: a regular file always counts as
/// writable, however long the disk takes.
///
/// Batches of whole lines go in under a lock that is never held while anything is written, and that
/// the way of a connection never takes.
class FileWriter {
public:
    /// Hears what became of what was queued, in the writer's thread.
    class Observer {
    public:
        /// There is room again; called once after each room_or_tell() that said no.
        virtual void on_room() noexcept = 0;

        /// `lines` are lost, or something else failed; the file goes on.
        virtual void on_failure(std::size_t lines, std::error_code error) noexcept = 0;

    protected:
        ~Observer() = default;
    };

    /// A file and what is to be written to it.
    class File;

    FileWriter() = default;
    FileWriter(const FileWriter&) = delete;
    FileWriter& operator=(const FileWriter&) = delete;

    /// Writes what is queued.  A file that takes nothing for a while is given up; its observer
    /// hears of it.
    ~FileWriter();

    /// `observer` must live until remove() or the writer's end.  Starts the thread if need be;
    /// throws std::system_error.
    [[nodiscard]] std::shared_ptr<File> add(LogFile file, Observer& observer);

    /// Forgets a file for which nothing is queued; false if there is something.
    [[nodiscard]] bool remove(const std::shared_ptr<File>& file);

    /// Queues whole lines, unless that would make more than `limit` bytes wait; false then.
    [[nodiscard]] bool write(File& file, std::string_view lines, std::size_t limit);

    /// True if fewer than `limit` bytes wait; otherwise on_room() tells when.
    [[nodiscard]] bool room_or_tell(File& file, std::size_t limit);

    void set_limits(File& file, LogFile::Limits limits);

    /// Has every file opened anew.
    void reopen();

private:
    void run();
    [[nodiscard]] bool work(File& file);
    [[nodiscard]] bool advance(File& file);

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::shared_ptr<File>> files_;
    bool stopping_ = false;
    std::thread thread_;
};

} // namespace usher
