// SPDX-License-Identifier: MIT
#include "balancer/pool/pool.hpp"

#include "balancer/config/units/byte_size.hpp"
#include "balancer/config/units/duration.hpp"
#include "balancer/dialect/make_intake.hpp"
#include "common/async/spawn.hpp"
#include "common/text/counted.hpp"

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
std::chrono::milliseconds watch_interval(const ResolvedPool& config)
{
    constexpr std::chrono::milliseconds shortest{50};
    constexpr std::chrono::milliseconds longest{1'000};
    return config.stall_timeout == config.stall_timeout.zero()
               ? longest
               : std::clamp(config.stall_timeout / 10, shortest, longest);
}

/// The next moment that all pools of this interval share, so that a master of many wakes up once
/// for all of them.
Clock::time_point next_look(Clock::time_point now, std::chrono::milliseconds interval)
{
    return now + interval - now.time_since_epoch() % interval;
}

/// When a worker that could not be replaced is tried again.
BackOff retry_of(const ResolvedPool& config) noexcept
{
    return {config.restart.first_delay, config.restart.longest_delay};
}

} // namespace

Pool::Pool(const asio::any_io_executor& executor, ResolvedPool config, bool labelled,
           EventBus& events, Outputs& outputs, BusSet& buses, std::uint64_t& last_worker_id)
    : config_{std::make_shared<const ResolvedPool>(std::move(config))},
      labelled_{labelled},
      events_{events, {.pool = config_->name}},
      shared_{.executor = executor,
              .events = events,
              .outputs = outputs,
              .buses = buses,
              .last_worker_id = last_worker_id,
              .intake = make_intake(executor, events, *config_),
              .on_change = [this](const WorkerSlot& slot) { on_change(slot); }},
      next_config_{config_},
      watch_timer_{executor}
{
}

ListenerChange Pool::prepare(const ResolvedPool& next, SocketSource& sockets)
{
    if (intake_kind(next.dialect) != intake_kind(config_->dialect))
        throw std::runtime_error{
            fmt::format("the dialect of pool \"{}\" cannot change from {} to {} while usher runs; "
                        "restart usher",
                        config_->name, name_of(config_->dialect), name_of(next.dialect))};
    return shared_.intake->prepare(next, sockets);
}

void Pool::watch(std::function<void()> on_end)
{
    on_end_ = std::move(on_end);
    watched_at_ = Clock::now();
    watch_workers();
    spawn(shared_.executor, recycle_workers(), shared_from_this());
}

void Pool::start()
{
    exchange_.fill(config_->workers);
    perform_all();
    shared_.intake->start();
}

void Pool::look_for_end()
{
    // Places that were drained wait to be filled again.
    if (exchange_.is_empty() && on_end_ && (is_stopping() || (exchange_.is_idle() && is_spent())))
        asio::post(shared_.executor, [this] { finish(); });
}

void Pool::finish()
{
    if (!exchange_.is_empty() || !on_end_) // there is somebody again, or it was found twice
        return;
    const auto on_end = std::exchange(on_end_, nullptr);
    shared_.intake->close(nullptr);
    watch_timer_.cancel();
    if (const auto closed = shared_.intake->drop_waiting(); closed > 0)
        events_.publish(EventKind::note, log::Level::warning,
                        "closed " + counted(closed, "connection") +
                            ", because no worker was left to take any");
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
    shared_.intake->close([this] { // the workers are needed until then
        exchange_.stop();
        perform_all();
        changed_.notify_all();
        look_for_end();
    });
}

void Pool::hurry()
{
    shared_.intake->close(nullptr);
    for (const auto* const slots : {&slots_, &leaving_})
        for (const auto& slot : *slots)
            slot->hurry();
}

/// Nobody is left to wait for.
bool Pool::is_spent() const
{
    // One that has served waits for better times, unless the configuration wants an end.
    const bool wants_end = config_->restart.give_up == RestartConfig::GiveUp::exit ||
                           config_->restart.on != RestartConfig::On::always;
    const bool may_end = !was_ever_ready() || (wants_end && !slots_.empty());
    return may_end && std::ranges::all_of(slots_, [](const auto& slot) {
               return slot->has_failed() || slot->has_done();
           });
}

std::string Pool::failure() const
{
    const auto failed =
        std::ranges::find_if(slots_, [](const auto& slot) { return slot->has_failed(); });
    if (!is_spent() || failed == slots_.end())
        return {};
    if (config_->restart.on != RestartConfig::On::always)
        return fmt::format("no worker of pool \"{}\" is left, and not all have done their work; "
                           "last: {}",
                           config_->name, (*failed)->last_failure());
    return fmt::format("{} of pool \"{}\"{}; last: {}",
                       was_ever_ready() ? "every worker" : "no worker was ever ready",
                       config_->name, was_ever_ready() ? " has failed too often" : "",
                       (*failed)->last_failure());
}

void Pool::watch_workers()
{
    const auto interval = watch_interval(*config_);
    watch_timer_.expires_at(next_look(Clock::now(), interval));
    watch_timer_.async_wait([this, interval](const boost::system::error_code& cancelled) {
        if (cancelled || !on_end_)
            return;
        // Late by much: this process or the whole machine was suspended, and so perhaps were the
        // workers.
        const auto now = Clock::now();
        const bool suspended =
            now - std::exchange(watched_at_, now) > 2 * interval + std::chrono::milliseconds{500};
        for (const auto& slot : slots_)
            if (auto* const worker = slot->worker()) {
                worker->look(now, suspended);
                look_at_memory(*worker, now);
            }
        if (!due_places(now).empty())
            changed_.notify_all();
        watch_workers();
    });
}

void Pool::look_at_memory(const WorkerProcess& worker, Clock::time_point now)
{
    const auto memory = worker.memory(now);
    if (!memory)
        return;
    if (!memory->is_too_much)
        return memory_patience_.on_enough(memory->age);
    if (memory_patience_.on_too_much(memory->age, memory->has_grown))
        worker.events().publish(
            EventKind::note, log::Level::warning,
            fmt::format("has {} MiB of memory although it is fresh, and max_memory is {}: a new "
                        "one would have no less, so that workers are replaced for this only after "
                        "{}; raise max_memory",
                        memory->bytes / 1024 / 1024, format_byte_size(config_->recycle.max_memory),
                        format_duration(memory_patience_.time())));
}

std::vector<unsigned> Pool::due_places(Clock::time_point now) const
{
    std::vector<unsigned> numbers;
    for (const auto& slot : slots_) {
        const auto* const worker = slot->worker();
        if (worker != nullptr && !slot->is_over() &&
            !worker->look_for_recycling(now, memory_patience_.time()).empty())
            numbers.push_back(slot->identity().slot);
    }
    return numbers;
}

asio::awaitable<void> Pool::recycle_workers()
{
    auto retry = retry_of(*config_);
    auto next = Clock::time_point::min();
    while (on_end_ && !is_stopping()) {
        const auto now = Clock::now();
        if (now < next || due_places(now).empty()) {
            co_await changed_.wait();
            continue;
        }
        const auto outcome = co_await recycle();
        if (outcome.is_done()) {
            retry = retry_of(*config_);
            continue;
        }
        if (!on_end_ || is_stopping())
            break;
        const auto delay = retry.next();
        next = Clock::now() + delay;
        events_.publish(
            EventKind::note, log::Level::warning,
            fmt::format("pool \"{}\" keeps a worker that is due to be replaced, next try in {} "
                        "ms: {}",
                        config_->name, delay.count(), outcome.message));
    }
}

} // namespace usher
