// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/watch_config.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/watch/change_gate.hpp"
#include "balancer/watch/folder_walk.hpp"
#include "balancer/watch/watched_folders.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace usher {

/// Has the workers of a pool replaced when files change that are watched for it.  Folders are
/// looked through on helper threads.
///
/// Lives as a shared pointer: what is under way keeps it until close().
class PoolWatcher final : public std::enable_shared_from_this<PoolWatcher> {
public:
    /// Replaces the workers of a pool.  Says why that has failed; empty: it has not, or nobody
    /// needs to know.
    using Restart = std::function<boost::asio::awaitable<std::string>(std::string pool)>;

    /// Throws std::system_error, e.g. if the user has too many such descriptors.
    PoolWatcher(const boost::asio::any_io_executor& executor, const std::string& pool,
                WatchConfig config, IgnoreRules rules, EventBus& events, Restart restart);
    ~PoolWatcher();
    PoolWatcher(const PoolWatcher&) = delete;
    PoolWatcher& operator=(const PoolWatcher&) = delete;

    void start();

    /// Asks for no further restart.
    void close() noexcept;

    [[nodiscard]] bool is_for(const WatchConfig& config, const IgnoreRules& rules) const
    {
        return config_ == config && folders_.rules() == rules;
    }

private:
    [[nodiscard]] boost::asio::awaitable<void> follow();
    [[nodiscard]] boost::asio::awaitable<void> follow_events();
    [[nodiscard]] boost::asio::awaitable<void> restart_when_due();
    [[nodiscard]] boost::asio::awaitable<void> look_through(std::vector<std::string> tops,
                                                            bool also_names);
    void on_change(const std::string& path);
    void say(log::Level level, const std::string& text) const;

    std::string pool_;
    WatchConfig config_;
    EventSource events_;
    Restart restart_;
    std::shared_ptr<sys::UniqueFd> inotify_; ///< shared with who looks through folders
    boost::asio::posix::stream_descriptor stream_;
    std::vector<std::string> paths_;
    WatchedFolders folders_;
    ChangeGate gate_;
    boost::asio::steady_timer wake_;
    bool closed_ = false;
};

} // namespace usher
