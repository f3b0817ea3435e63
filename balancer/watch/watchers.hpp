// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "balancer/watch/pool_watcher.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <map>
#include <memory>
#include <string>

namespace usher {

/// The watchers of the pools that have something to `watch`.
class Watchers {
public:
    /// `restart` must not refer to what ends before the event loop.
    Watchers(boost::asio::any_io_executor executor, EventBus& events, PoolWatcher::Restart restart);

    /// Watches what `config` says from now on, and nothing else.  Pools for which nothing has
    /// changed are watched on.
    void update(const ResolvedConfig& config);

    void close() noexcept;

    [[nodiscard]] bool is_watching() const noexcept { return !watchers_.empty(); }

private:
    boost::asio::any_io_executor executor_;
    EventBus& events_;
    PoolWatcher::Restart restart_;
    std::map<std::string, std::shared_ptr<PoolWatcher>> watchers_; ///< by the pool's name
};

} // namespace usher
