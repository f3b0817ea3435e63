// SPDX-License-Identifier: MIT
#include "balancer/pool/pool.hpp"

#include "balancer/dialect/make_intake.hpp"
#include "common/async/spawn.hpp"
#include "common/sys/process/cpu_count.hpp"

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
      recycling_due_{executor},
      recycle_retry_{config_->restart},
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
    spawn(executor_, recycle_workers());
}

void Pool::start()
{
    exchange_.fill(config_->workers);
    perform_all();
    intake_->start();
}

void Pool::launch(const Slot& slot)
{
    ++running_;
    spawn(executor_, [this, slot]() -> asio::awaitable<void> {
        co_await slot->run();
        std::erase(leaving_, slot);
        --running_;
        on_change();
        look_for_end();
    });
}

/// Places that were drained wait to be filled again, and so do those that failed after the pool had
/// served.
bool Pool::has_given_up() const noexcept
{
    return !was_ever_ready_ && exchange_.is_idle() &&
           std::ranges::all_of(slots_, [](const auto& slot) { return slot->has_failed(); });
}

void Pool::look_for_end()
{
    if (running_ == 0 && on_end_ && (is_stopping() || has_given_up()))
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
    recycling_due_.notify_all();
    on_end();
}

void Pool::stop()
{
    if (is_stopping())
        return;
    exchange_.close();
    perform_all();
    on_change();
    intake_->close([this] { stop_workers(); }); // they are needed until then
}

void Pool::stop_workers()
{
    exchange_.stop();
    perform_all();
    on_change();
    look_for_end();
}

void Pool::hurry()
{
    intake_->close(nullptr);
    for (const auto& slot : slots_)
        slot->hurry();
    for (const auto& slot : leaving_)
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
        for (const auto& slot : slots_) {
            auto* const worker = slot->worker();
            if (worker == nullptr)
                continue;
            if (suspended)
                worker->forgive(now);
            worker->audit();
            worker->look_for_hang(now);
        }
        sample_memory(now);
        if (!due_places(now).empty())
            recycling_due_.notify_all();
        watch_workers();
    });
}

} // namespace usher
