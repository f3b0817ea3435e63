// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "balancer/events/event_bus.hpp"
#include "balancer/hooks/hook_queue.hpp"
#include "balancer/output/outputs.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace usher {

/// Runs the programs that pools have for what happens to their workers: beside all else, a few at a
/// time, each for a limited time, as the pool's workers run, with the event on standard input.
class Hooks {
public:
    /// One that runs longer is killed.
    static constexpr std::chrono::seconds longest_run{30};
    /// When usher ends, all that is left has so long.
    static constexpr std::chrono::seconds longest_end{5};

    /// `events` and `outputs` must outlive it.
    Hooks(const boost::asio::any_io_executor& executor, EventBus& events, Outputs& outputs);
    Hooks(const Hooks&) = delete;
    Hooks& operator=(const Hooks&) = delete;

    /// The pools there are from now on.  Workers of those there were may still end, however long
    /// they drain.
    void set(const std::vector<ResolvedPool>& pools);

    /// Nothing happens any more: calls `on_closed` once when no hook runs or waits.
    void close(std::function<void()> on_closed);

private:
    using Pools = std::map<std::string, std::shared_ptr<const ResolvedPool>>;

    /// One that is running.
    struct Run {
        boost::asio::steady_timer end; ///< also cancelled when it has ended
        bool has_ended = false;
    };

    void on_event(const Event& event);
    void begin_all();
    [[nodiscard]] boost::asio::awaitable<void> run(Hook hook);
    [[nodiscard]] boost::asio::awaitable<void> run_process(const Hook& hook);
    void say(const Hook& hook, const std::string& text);
    void look_for_end();

    boost::asio::any_io_executor executor_;
    EventBus& events_;
    Outputs& outputs_;
    Pools now_;
    Pools before_;                            ///< as they were when they were last there
    std::map<std::string, HookQueue> queues_; ///< by pool
    std::map<std::string, std::uint64_t> left_out_;
    std::list<std::shared_ptr<Run>> runs_;
    std::function<void()> on_closed_;
    boost::asio::steady_timer end_; ///< of waiting, once it is to close
    EventBus::Subscription subscription_;
};

} // namespace usher
