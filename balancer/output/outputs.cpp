// SPDX-License-Identifier: MIT
#include "balancer/output/outputs.hpp"

#include "balancer/config/units/own_descriptor.hpp"
#include "common/async/closing_thread.hpp"
#include "common/async/helper_thread.hpp"
#include "common/async/spawn.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

LogFile::Limits limits_of(const OutputConfig& config) noexcept
{
    return {.max_size = config.max_size, .max_files = config.max_files};
}

} // namespace

/// A disk may be slow, and what nobody reads of a FIFO is not worth waiting for.
Outputs::File::File(const asio::any_io_executor& executor, const std::string& path,
                    std::shared_ptr<LogFile> opened, EventBus& events)
    : file{std::move(opened)},
      is_regular{file->is_regular()},
      sink{std::make_shared<LineSink>(executor, writer, path, events)},
      writer{file, std::chrono::seconds{is_regular ? 5 : 1}}
{
    writer.observe(sink.get());
}

Outputs::Outputs(const asio::any_io_executor& executor, LineWriter& standard_error,
                 EventBus& events)
    : executor_{executor},
      standard_error_{standard_error},
      events_{events},
      errors_sink_{std::make_shared<LineSink>(executor, standard_error, "standard error", events)},
      next_look_{executor}
{
    standard_error.observe(errors_sink_.get());
}

asio::awaitable<std::shared_ptr<OutputReader>> Outputs::connect(OutputConfig config, Writer worker,
                                                                asio::steady_timer& deadline)
{
    if (config.kind == OutputConfig::Kind::inherit)
        co_return nullptr;
    auto output = co_await sink_of(config.file, limits_of(config), deadline);
    const bool is_apart = !config.errors.empty();
    auto errors = output;
    if (is_apart)
        errors = co_await sink_of(config.errors, limits_of(config), deadline);
    const bool are_files = is_regular(config.file) && (!is_apart || is_regular(config.errors));
    LineFormat format{config, std::move(worker.pool), worker.slot, std::move(worker.hook),
                      worker.is_stranger && !are_files};
    co_return std::make_shared<OutputReader>(executor_, std::move(output), std::move(errors),
                                             std::move(format), config.on_full);
}

bool Outputs::is_regular(const std::string& file) const noexcept
{
    const auto found = files_.find(file);
    return found != files_.end() && found->second->is_regular;
}

asio::awaitable<std::shared_ptr<LineSink>>
Outputs::sink_of(std::string path, LogFile::Limits limits, asio::steady_timer& deadline)
{
    close_unused(path);
    if (path.empty() || own_descriptor(path) == STDERR_FILENO)
        co_return errors_sink_;
    if (closed_)
        throw std::logic_error{"the outputs are closed"};

    if (!files_.contains(path))
        co_await wait_for_file(path, limits, deadline);
    const auto& entry = *files_.at(path);
    files_.at(path)->writer.post([file = entry.file, limits] {
        file->set_limits(limits);
        return std::error_code{};
    });
    co_return entry.sink;
}

/// Closes the files of earlier configurations, to which nobody writes any more.
void Outputs::close_unused(const std::string& needed)
{
    std::erase_if(files_, [&](auto& entry) {
        auto& [path, file] = entry;
        if (path == needed || file->sink.use_count() > 1 || !file->writer.is_idle())
            return false;
        if (const auto lost = file->sink->lost_lines(); lost > 0)
            lost_before_[path] += lost;
        if (file.use_count() == 1) { // it has no other path
            file->sink->close();
            close_elsewhere(file->file->release());
        }
        return true;
    });
}

bool Outputs::has_unused() const noexcept
{
    return std::ranges::any_of(
        files_, [](const auto& entry) { return entry.second->sink.use_count() == 1; });
}

void Outputs::close_unused_soon()
{
    constexpr std::chrono::seconds wait{1};
    if (closed_ || std::exchange(looks_, true))
        return;
    next_look_.expires_after(wait);
    next_look_.async_wait([this](const boost::system::error_code& cancelled) {
        if (cancelled)
            return;
        looks_ = false;
        close_unused({});
        if (has_unused()) // it is still being written to
            close_unused_soon();
    });
}

/// Returns when `file` is among the open ones.
asio::awaitable<void> Outputs::wait_for_file(const std::string& file, LogFile::Limits limits,
                                             asio::steady_timer& deadline)
{
    using namespace asio::experimental::awaitable_operators;
    auto attempt = attempts_[file]; // null also where memory was missing before
    if (!attempt) {
        attempt = std::make_shared<Attempt>();
        auto opening = open(file, limits, attempt);
        attempts_[file] = attempt;
        try {
            spawn(executor_, std::move(opening));
        } catch (...) {
            attempts_.erase(file);
            throw;
        }
    }
    while (!attempt->failure && !attempt->sink) {
        if (deadline.expiry() <= asio::steady_timer::clock_type::now() || closed_)
            throw std::runtime_error{file +
                                     ": cannot be opened in time: its disk does not answer, or "
                                     "somebody has a lease on it"};
        co_await (attempt->ended.wait() ||
                  deadline.async_wait(asio::as_tuple(asio::use_awaitable)));
    }
    if (attempt->failure)
        std::rethrow_exception(attempt->failure);
}

/// An attempt that hangs has a thread, and that is all: there is no other for the same file.
asio::awaitable<void> Outputs::open(std::string path, LogFile::Limits limits,
                                    std::shared_ptr<Attempt> attempt)
{
    try {
        auto look = [path, limits] { return std::make_shared<LogFile>(path, limits); };
        const auto opened = co_await on_helper_thread(std::move(look));
        const auto leave = [](LogFile* unused) { close_elsewhere(unused->release()); };
        std::unique_ptr<LogFile, decltype(leave)> unless_used{opened.get(), leave};
        const auto same = std::ranges::find_if(
            files_, [&](const auto& entry) { return entry.second->file->has_place_of(*opened); });
        // Two that count for themselves would each fill it, and rename what the other writes to.
        std::shared_ptr<File> file;
        if (same != files_.end()) {
            file = same->second;
        } else {
            file = std::make_shared<File>(executor_, path, opened, events_);
            std::ignore = unless_used.release();
        }
        if (attempt->is_old)
            file->writer.post([file = file->file] { return file->reopen(); });
        attempt->sink = file->sink;
        files_[path] = std::move(file);
    } catch (const std::exception&) {
        attempt->failure = std::current_exception();
    }
    attempts_.erase(path);
    attempt->ended.notify_all();
}

std::uint64_t Outputs::lost_lines(const std::string& file) const noexcept
{
    const auto before = lost_before_.find(file);
    const auto found = files_.find(file);
    return (before == lost_before_.end() ? 0 : before->second) +
           (found == files_.end() ? 0 : found->second->sink->lost_lines());
}

void Outputs::reopen()
{
    close_unused({}); // or it would be made anew
    for (const auto& [path, entry] : files_)
        entry->writer.post([file = entry->file] { return file->reopen(); });
    for (const auto& [path, attempt] : attempts_)
        if (attempt)
            attempt->is_old = true;
}

void Outputs::close()
{
    closed_ = true;
    next_look_.cancel();
    const auto now = LineWriter::Clock::now();
    for (const auto& [path, file] : files_)
        file->writer.finish(now);
    for (const auto& [path, file] : files_)
        file->sink->close();
    errors_sink_->close();
}

} // namespace usher
