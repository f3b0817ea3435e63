// SPDX-License-Identifier: MIT
// How a pool replaces workers that have served long enough.
#include "balancer/pool/pool_turn.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

using Clock = std::chrono::steady_clock;

/// Each worker's memory is asked for so often.
constexpr std::chrono::milliseconds memory_interval{10'000};

/// With few workers the interval would be short: reading the memory of one is not free.
constexpr std::chrono::milliseconds shortest_pause{1'000};

} // namespace

void Pool::sample_memory(Clock::time_point now)
{
    if (config_->recycle.max_memory == 0 || slots_.empty() || now < next_sample_)
        return;

    const auto count = slots_.size();
    const auto at_once = count * shortest_pause / memory_interval + 1;
    next_sample_ = now + std::max(shortest_pause, memory_interval / static_cast<long>(count));
    for (std::size_t i = 0; i < std::min<std::size_t>(at_once, count); ++i) {
        auto* const worker = slots_[last_sampled_++ % count]->worker();
        if (worker == nullptr || worker->state() != WorkerLifecycle::State::ready)
            continue;
        if (const auto error = worker->sample_memory(); error && !std::exchange(said_blind_, true))
            events_.publish(
                EventKind::note, log::Level::warning,
                fmt::format("max_memory of pool \"{}\" has no effect: the memory of {} cannot "
                            "be read: {}",
                            config_->name, worker->name(), error.message()));
    }
}

std::vector<unsigned> Pool::due_places(Clock::time_point now) const
{
    std::vector<unsigned> numbers;
    for (const auto& slot : slots_) {
        const auto* const worker = slot->worker();
        if (worker != nullptr && !slot->is_over() && !worker->look_for_recycling(now).empty())
            numbers.push_back(slot->place().slot);
    }
    return numbers;
}

asio::awaitable<void> Pool::recycle_workers()
{
    while (on_end_ && !is_stopping()) {
        const auto now = Clock::now();
        if (now < recycle_again_at_ || due_places(now).empty()) {
            co_await recycling_due_.wait();
            continue;
        }
        const auto outcome = co_await recycle();
        if (outcome.is_done()) {
            recycle_retry_ = RestartPolicy{config_->restart};
            continue;
        }
        if (is_stopping())
            break;
        const auto delay = recycle_retry_.after_exit(RestartPolicy::Duration{0}, 0.0)
                               .value_or(config_->restart.longest_delay);
        recycle_again_at_ = Clock::now() + delay;
        events_.publish(
            EventKind::note, log::Level::warning,
            fmt::format("pool \"{}\" keeps a worker that is due to be replaced, next try in {} "
                        "ms: {}",
                        config_->name, delay.count(), outcome.message));
    }
}

asio::awaitable<Outcome> Pool::recycle()
{
    const auto turn = co_await take_turn();
    const auto now = Clock::now();
    auto numbers = due_places(now); // a reload may have replaced them meanwhile
    if (is_stopping() || numbers.empty())
        co_return Outcome{};
    // A few after the others whatever a reload does, and nobody waits behind them: it is the same
    // program.
    const Exchange::Rule rule{.at_once = config_->reload.max_surge > 0
                                             ? config_->reload.max_surge
                                             : config_->reload.max_unavailable,
                              .successor_first = config_->reload.max_surge > 0};
    numbers.resize(std::min(numbers.size(), rule.at_once));
    for (const auto number : numbers) {
        const auto* const worker = slots_[number - 1]->worker();
        worker->events().publish(EventKind::recycled, log::Level::info,
                                 "is replaced, because " + worker->look_for_recycling(now));
    }
    Exchange::Plan plan{.replaced = std::move(numbers), .places = exchange_.places(), .rule = rule};
    co_return co_await carry_out(std::move(plan), config_, generation_);
}

} // namespace usher
