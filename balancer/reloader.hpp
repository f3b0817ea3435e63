// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/operations.hpp"
#include "balancer/config/config.hpp"
#include "balancer/events/event_bus.hpp"
#include "balancer/supervise/pool.hpp"
#include "common/async/condition.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace usher {

/// Brings in a new configuration: all of it is read, checked and its listeners opened before
/// anything changes; then pool after pool.
///
/// Requests coalesce: whoever asks while one is running is served by the next, together with all
/// others who asked meanwhile.
class Reloader {
public:
    Reloader(const boost::asio::any_io_executor& executor, std::function<Config()> read,
             const std::vector<std::unique_ptr<Pool>>& pools, EventBus& events);

    /// Returns when a reload that began after this call has ended.
    [[nodiscard]] boost::asio::awaitable<Reply> reload();

    /// What reload() would do: a line for each pool, or why it would be refused.
    [[nodiscard]] Reply plan() const;

private:
    struct Change {
        Pool* pool;
        std::shared_ptr<const PoolConfig> config;
        ListenerChange listeners;
    };

    [[nodiscard]] std::vector<Change> prepare() const;
    [[nodiscard]] boost::asio::awaitable<Reply> apply(std::vector<Change> changes);
    [[nodiscard]] boost::asio::awaitable<Reply> run();
    void publish(EventKind kind, log::Level level, std::string text);

    std::function<Config()> read_;
    const std::vector<std::unique_ptr<Pool>>& pools_;
    EventBus& events_;
    Condition finished_;
    std::uint64_t requested_ = 0;
    std::uint64_t served_ = 0; ///< all requests up to this one
    Reply last_;
    bool running_ = false;
};

} // namespace usher
