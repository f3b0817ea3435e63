// SPDX-License-Identifier: MIT
#include "balancer/pool/pool.hpp"

#include "balancer/dialect/make_intake.hpp"
#include "common/async/spawn.hpp"
#include "common/sys/process/cpus.hpp"

#include <boost/asio/post.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

using Clock = std::chrono::steady_clock;

/// How often workers are looked at: finely enough for their `stall_timeout`.
std::chrono::milliseconds watch_interval(const PoolConfig& config)
{
    constexpr std::chrono::milliseconds shortest{50};
    constexpr std::chrono::milliseconds longest{1'000};
    return config.stall_timeout == config.stall_timeout.zero()
               ? longest
               : std::clamp(config.stall_timeout / 10, shortest, longest);
}

/// When a worker that could not be replaced is tried again.
BackOff retry_of(const PoolConfig& config) noexcept
{
    return {config.restart.first_delay, config.restart.longest_delay};
}

/// Each worker's memory is asked for so often.
constexpr std::chrono::milliseconds memory_interval{10'000};

/// With few workers the interval would be short: reading the memory of one is not free.
constexpr std::chrono::milliseconds shortest_pause{1'000};

} // namespace

Pool::Pool(const asio::any_io_executor& executor, PoolConfig config, bool labelled,
           EventBus& events, Outputs& outputs, std::uint64_t& last_worker_id)
    : executor_{executor},
      config_{with_worker_count(std::move(config))},
      labelled_{labelled},
      events_{events, {.pool = config_->name}},
      outputs_{outputs},
      last_worker_id_{last_worker_id},
      intake_{make_intake(executor, events, *config_)},
      next_config_{config_},
      changed_{executor},
      recycle_retry_{retry_of(*config_)},
      watch_timer_{executor}
{
}

std::shared_ptr<const PoolConfig> Pool::with_worker_count(PoolConfig config)
{
    if (config.workers == 0)
        config.workers = sys::usable_cpus();
    return std::make_shared<const PoolConfig>(std::move(config));
}

ListenerChange Pool::prepare(const PoolConfig& next, SocketSource& sockets) const
{
    if (intake_kind(next.dialect) != intake_kind(config_->dialect))
        throw std::runtime_error{
            fmt::format("the dialect of pool \"{}\" cannot change from {} to {} while usher runs; "
                        "restart usher",
                        config_->name, name_of(config_->dialect), name_of(next.dialect))};
    return intake_->prepare(next, sockets);
}

void Pool::open(ListenerChange listeners)
{
    intake_->commit(*config_, std::move(listeners));
}

void Pool::watch(std::function<void()> on_end)
{
    on_end_ = std::move(on_end);
    watched_at_ = Clock::now();
    watch_workers();
    spawn(executor_, recycle_workers(), shared_from_this());
}

void Pool::start()
{
    exchange_.fill(config_->workers);
    perform_all();
    intake_->start();
}

void Pool::look_for_end()
{
    // Places that were drained wait to be filled again, and so do those that failed after the pool
    // had served.
    const bool has_given_up =
        !was_ever_ready_ && exchange_.is_idle() &&
        std::ranges::all_of(slots_, [](const auto& slot) { return slot->has_failed(); });
    if (running_ == 0 && on_end_ && (is_stopping() || has_given_up))
        asio::post(executor_, [this] { finish(); });
}

void Pool::finish()
{
    if (running_ > 0 || !on_end_) // there is somebody again, or it was found twice
        return;
    const auto on_end = std::exchange(on_end_, nullptr);
    intake_->close(nullptr);
    watch_timer_.cancel();
    if (const auto closed = intake_->drop_waiting(); closed > 0)
        events_.publish(
            EventKind::note, log::Level::warning,
            fmt::format("{} connections were closed, because no worker was left to take them",
                        closed));
    has_ended_ = true;
    changed_.notify_all();
    on_end();
}

void Pool::stop()
{
    if (is_stopping())
        return;
    exchange_.close();
    perform_all();
    changed_.notify_all();
    intake_->close([this] { // the workers are needed until then
        exchange_.stop();
        perform_all();
        changed_.notify_all();
        look_for_end();
    });
}

void Pool::hurry()
{
    intake_->close(nullptr);
    for (const auto* const slots : {&slots_, &leaving_})
        for (const auto& slot : *slots)
            slot->hurry();
}

std::string Pool::failure() const
{
    if (was_ever_ready_ || slots_.empty())
        return {};
    return fmt::format("no worker was ever ready of pool \"{}\"; last: {}", config_->name,
                       slots_.front()->last_failure());
}

void Pool::watch_workers()
{
    const auto interval = watch_interval(*config_);
    watch_timer_.expires_after(interval);
    watch_timer_.async_wait([this, interval](const boost::system::error_code& cancelled) {
        if (cancelled || !on_end_)
            return;
        // Late by much: this process or the whole machine was suspended, and so perhaps were the
        // workers.
        const auto now = Clock::now();
        const bool suspended =
            now - std::exchange(watched_at_, now) > 2 * interval + std::chrono::milliseconds{500};
        for (const auto& slot : slots_)
            if (auto* const worker = slot->worker())
                worker->look(now, suspended);
        sample_memory(now);
        if (!due_places(now).empty())
            changed_.notify_all();
        watch_workers();
    });
}

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
            numbers.push_back(slot->identity().slot);
    }
    return numbers;
}

asio::awaitable<void> Pool::recycle_workers()
{
    while (on_end_ && !is_stopping()) {
        const auto now = Clock::now();
        if (now < recycle_again_at_ || due_places(now).empty()) {
            co_await changed_.wait();
            continue;
        }
        const auto outcome = co_await recycle();
        if (outcome.is_done()) {
            recycle_retry_ = retry_of(*config_);
            continue;
        }
        if (!on_end_ || is_stopping())
            break;
        const auto delay = recycle_retry_.next();
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
    Outcome outcome;
    const auto turn = co_await take_turn(outcome);
    const auto now = Clock::now();
    auto numbers = due_places(now); // a reload may have replaced them meanwhile
    if (!turn || numbers.empty())
        co_return outcome;
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
