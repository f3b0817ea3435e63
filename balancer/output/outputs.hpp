// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/events/event_bus.hpp"
#include "balancer/output/line_sink.hpp"
#include "balancer/output/log_file.hpp"
#include "balancer/output/output_reader.hpp"
#include "common/async/condition.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <string>

namespace usher {

/// Where the output of the master's workers goes: its standard error, and the files of the pools.
class Outputs {
public:
    /// `standard_error` must outlive it.
    Outputs(const boost::asio::any_io_executor& executor, LineWriter& standard_error,
            EventBus& events);
    Outputs(const Outputs&) = delete;
    Outputs& operator=(const Outputs&) = delete;
    ~Outputs() { standard_error_.observe(nullptr); }

    /// Whose lines they are.
    struct Writer {
        std::string pool;
        unsigned slot;
        bool is_stranger;   ///< another user's
        std::string hook{}; ///< of a hook's program, its name
    };

    /// Pipes for a worker, whose lines go where and how `config` says; null if it is to inherit
    /// ours.  What a stranger writes to what is no file of ours, perhaps among lines of others,
    /// steers no terminal.
    ///
    /// Throws std::system_error, e.g. if a file cannot be opened, and std::runtime_error if that
    /// has not happened when `deadline` expires or is cancelled.  It goes on then: whoever wants
    /// the file next waits for the same attempt.
    [[nodiscard]] boost::asio::awaitable<std::shared_ptr<OutputReader>>
    connect(OutputConfig config, Writer worker, boost::asio::steady_timer& deadline);

    /// How many lines of workers were lost on their way to our standard error, and to `file`.
    [[nodiscard]] std::uint64_t lost_lines() const noexcept { return errors_sink_->lost_lines(); }
    [[nodiscard]] std::uint64_t lost_lines(const std::string& file) const noexcept;

    /// Opens every file anew, since somebody has renamed them; also those that are being opened.
    void reopen();

    /// A slot has ended for good: closes the files to which nobody writes any more as soon as all
    /// is written.  Who starts meanwhile finds its file still open.
    void close_unused_soon();

    /// No worker is left: writes what waits.
    void close();

private:
    struct File {
        std::shared_ptr<LogFile> file;
        bool is_regular;
        std::shared_ptr<LineSink> sink;
        LineWriter writer; ///< ends first, and tells the sink what it gives up

        File(const boost::asio::any_io_executor& executor, const std::string& path,
             std::shared_ptr<LogFile> opened, EventBus& events);
    };

    /// A file that is being opened.
    struct Attempt {
        Condition ended;
        std::shared_ptr<LineSink> sink{}; ///< keeps the file until all know who wait
        std::exception_ptr failure{};
        bool is_old = false; ///< what was opened may have been renamed since
    };

    [[nodiscard]] boost::asio::awaitable<std::shared_ptr<LineSink>>
    sink_of(std::string path, LogFile::Limits limits, boost::asio::steady_timer& deadline);
    [[nodiscard]] boost::asio::awaitable<void> wait_for_file(const std::string& file,
                                                             LogFile::Limits limits,
                                                             boost::asio::steady_timer& deadline);
    [[nodiscard]] boost::asio::awaitable<void> open(std::string path, LogFile::Limits limits,
                                                    std::shared_ptr<Attempt> attempt);
    [[nodiscard]] bool is_regular(const std::string& file) const noexcept;
    void close_unused(const std::string& needed);
    [[nodiscard]] bool has_unused() const noexcept;

    boost::asio::any_io_executor executor_;
    LineWriter& standard_error_;
    EventBus& events_;
    std::shared_ptr<LineSink> errors_sink_;                    ///< of standard error
    std::map<std::string, std::shared_ptr<File>> files_;       ///< by path, of which one has some
    std::map<std::string, std::shared_ptr<Attempt>> attempts_; ///< by path
    std::map<std::string, std::uint64_t> lost_before_; ///< by path: lines of files that are closed
    boost::asio::steady_timer next_look_;              ///< for files that are unused
    bool looks_ = false;
    bool closed_ = false;
};

} // namespace usher
