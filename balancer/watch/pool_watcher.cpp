// SPDX-License-Identifier: MIT
#include "balancer/watch/pool_watcher.hpp"

#include "common/async/adopt_fd.hpp"
#include "common/async/closing_thread.hpp"
#include "common/async/helper_thread.hpp"
#include "common/async/spawn.hpp"
#include "common/sys/fd/inotify.hpp"
#include "common/sys/syscall.hpp"
#include "common/text/counted.hpp"
#include "common/text/one_line.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <span>
#include <utility>

#include <fcntl.h>

namespace asio = boost::asio;

namespace usher {

namespace {

/// A descriptor of the same, for the event loop alone.
sys::UniqueFd duplicate(const sys::UniqueFd& fd)
{
    sys::UniqueFd copy{::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)};
    if (!copy)
        sys::throw_last_error("F_DUPFD_CLOEXEC");
    return copy;
}

/// The paths as the log is to name what is in them.
std::vector<std::string> tidy(std::vector<std::string> paths)
{
    for (auto& path : paths) {
        path = std::filesystem::path{path}.lexically_normal().string();
        if (path.size() > 1 && path.ends_with('/'))
            path.pop_back();
    }
    return paths;
}

/// Owns an inotify descriptor; the end of many watches takes the kernel a while.
std::shared_ptr<sys::UniqueFd> make_shared_inotify()
{
    const auto leave = [](sys::UniqueFd* fd) {
        close_elsewhere(std::move(*fd));
        delete fd;
    };
    return {new sys::UniqueFd{sys::make_inotify()}, leave};
}

} // namespace

PoolWatcher::PoolWatcher(const asio::any_io_executor& executor, const std::string& pool,
                         WatchConfig config, IgnoreRules rules, EventBus& events, Restart restart)
    : pool_{pool},
      config_{std::move(config)},
      events_{events, {.pool = pool}},
      restart_{std::move(restart)},
      inotify_{make_shared_inotify()},
      stream_{adopt_fd<asio::posix::stream_descriptor>(executor, duplicate(*inotify_))},
      paths_{tidy(config_.paths)},
      folders_{std::move(rules)},
      gate_{config_.delay},
      wake_{executor, asio::steady_timer::time_point::max()}
{
}

PoolWatcher::~PoolWatcher() = default;

void PoolWatcher::say(log::Level level, const std::string& text) const
{
    events_.publish(EventKind::note, level, fmt::format("pool \"{}\": {}", pool_, text));
}

void PoolWatcher::start()
{
    spawn(wake_.get_executor(), follow(), shared_from_this());
    spawn(wake_.get_executor(), restart_when_due(), shared_from_this());
}

void PoolWatcher::close() noexcept
{
    closed_ = true;
    boost::system::error_code ignored;
    stream_.close(ignored);
    wake_.expires_at(asio::steady_timer::time_point::min());
}

void PoolWatcher::on_change(const std::string& path)
{
    gate_.on_change(path, ChangeGate::Clock::now());
    wake_.cancel(); // restart_when_due() looks again
}

asio::awaitable<void> PoolWatcher::follow()
{
    try {
        co_await look_through(paths_, true);
        co_await follow_events();
    } catch (const std::exception& error) { // no thread, no memory
        if (!closed_)
            say(log::Level::warning,
                std::string{"changes are no longer watched for: "} + error.what());
    }
}

/// Watches `tops` and what is below; what is new there is a change, unless this is the beginning.
asio::awaitable<void> PoolWatcher::look_through(std::vector<std::string> tops, bool also_names)
{
    const auto room =
        FolderWalk::most_folders - std::min(folders_.size(), FolderWalk::most_folders);
    auto walk = [=, inotify = inotify_, rules = folders_.rules()] {
        FolderWalk result;
        for (const auto& top : tops) {
            if (also_names)
                result.watch_name(inotify->get(), top);
            const auto used = std::min(result.watches.size(), room);
            result.watch_all(inotify->get(), top, rules, room - used);
        }
        return result;
    };
    const auto result = co_await on_helper_thread(std::move(walk));
    if (closed_)
        co_return;
    for (const auto& watch : result.watches)
        if (watch.name.empty())
            folders_.add(watch.number, watch.folder);
        else
            folders_.add(watch.number, watch.folder, watch.name);
    for (const auto& problem : result.problems)
        say(log::Level::warning, "watch: " + problem);
    if (also_names)
        say(log::Level::info, "watching " + counted(folders_.size(), "folder"));
    else if (result.has_files)
        on_change(tops.front());
}

asio::awaitable<void> PoolWatcher::follow_events()
{
    std::array<std::byte, 16UL * 1024> buffer{};
    while (!closed_) {
        const auto [failed] = co_await stream_.async_wait(asio::posix::stream_descriptor::wait_read,
                                                          asio::as_tuple(asio::deferred));
        if (failed || closed_)
            co_return;
        std::span<const std::byte> events;
        if (const auto error = sys::read_inotify(inotify_->get(), buffer, events))
            throw std::system_error{error, "inotify"};
        std::vector<std::string> tops;
        bool is_all_lost = false;
        while (!events.empty()) {
            auto meaning = folders_.look(sys::take_event(events));
            if (!meaning.changed.empty())
                on_change(meaning.changed);
            for (const int watch : meaning.gone)
                sys::remove_watch(inotify_->get(), watch);
            if (!meaning.new_folder.empty())
                tops.push_back(std::move(meaning.new_folder));
            is_all_lost |= meaning.is_all_lost;
        }
        if (is_all_lost)
            co_await look_through(paths_, true);
        else if (!tops.empty())
            co_await look_through(std::move(tops), false);
    }
}

asio::awaitable<void> PoolWatcher::restart_when_due()
{
    while (!closed_) {
        if (const auto path = gate_.take(ChangeGate::Clock::now())) {
            say(log::Level::info,
                printable(*path, longest_word) + " changed; restarting its workers");
            const auto problem = co_await restart_(pool_);
            if (!problem.empty() && !closed_)
                say(log::Level::error, "its workers stay as they are: " + problem);
            continue; // what has changed meanwhile is one more restart
        }
        wake_.expires_at(gate_.due().value_or(asio::steady_timer::time_point::max()));
        co_await wake_.async_wait(asio::as_tuple(asio::deferred));
    }
}

} // namespace usher
