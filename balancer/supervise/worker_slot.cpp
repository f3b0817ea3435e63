// SPDX-License-Identifier: MIT
#include "balancer/supervise/worker_slot.hpp"

#include "common/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>

#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

using Clock = std::chrono::steady_clock;

RestartPolicy::Duration since(Clock::time_point start)
{
    return std::chrono::duration_cast<RestartPolicy::Duration>(Clock::now() - start);
}

} // namespace

WorkerSlot::WorkerSlot(asio::any_io_executor executor, const PoolConfig& config, unsigned slot,
                       std::string label, Dispatcher& dispatcher, Owner& owner)
    : executor_{std::move(executor)},
      config_{config},
      slot_{slot},
      label_{std::move(label)},
      dispatcher_{dispatcher},
      owner_{owner},
      policy_{config.restart},
      delay_{executor_}
{
}

asio::awaitable<void> WorkerSlot::run()
{
    while (!stopping_) {
        const auto started = Clock::now();
        co_await run_worker();
        if (!stopping_)
            co_await back_off(since(started));
        if (failed_)
            co_return;
    }
}

asio::awaitable<void> WorkerSlot::run_worker()
{
    WorkerProcess::Observer& observer = *this;
    try {
        worker_ = std::make_shared<WorkerProcess>(executor_, config_,
                                                  WorkerIdentity{.pool = config_.name,
                                                                 .slot = slot_,
                                                                 .id = owner_.next_worker_id(),
                                                                 .generation = 1,
                                                                 .label = label_},
                                                  observer);
    } catch (const std::exception& e) {
        last_failure_ = e.what();
        log::error("{}: cannot be started: {}", label_, e.what());
        co_return;
    }

    const auto started = Clock::now();
    const auto name = worker_->name();
    log::info("{}: started", name);
    const auto status = co_await worker_->run();
    last_failure_ =
        "the worker " + status.to_string() + (worker_->was_ready() ? "" : " before it was ready");
    log::write(stopping_ ? log::Level::info : log::Level::warning,
               fmt::format("{}: {} after {} ms", name, status.to_string(), since(started).count()));
    worker_.reset();
}

bool WorkerSlot::should_give_up() const noexcept
{
    return !owner_.was_ever_ready() && policy_.failures() >= config_.start_attempts;
}

asio::awaitable<void> WorkerSlot::back_off(RestartPolicy::Duration uptime)
{
    const auto delay = policy_.after_exit(uptime, std::uniform_real_distribution{-1.0, 1.0}(dice_));
    if (!delay || should_give_up()) {
        failed_ = true;
        log::error("{}: failed {} times in a row, given up; last: {}", label_, policy_.failures(),
                   last_failure_);
        co_return;
    }
    log::info("{}: next start in {} ms", label_, delay->count());
    delay_.expires_after(*delay);
    co_await delay_.async_wait(asio::as_tuple(asio::deferred));
}

void WorkerSlot::stop()
{
    if (std::exchange(stopping_, true))
        return;
    delay_.cancel();
    if (worker_)
        worker_->stop();
}

void WorkerSlot::hurry()
{
    stopping_ = true;
    delay_.cancel();
    if (worker_)
        worker_->hurry();
}

void WorkerSlot::audit()
{
    if (worker_)
        worker_->audit();
}

void WorkerSlot::on_worker_ready(WorkerProcess& worker) noexcept
{
    owner_.on_ready();
    dispatcher_.attach(slot_ - 1, worker.channel());
}

void WorkerSlot::on_worker_leaving(WorkerProcess& /*worker*/) noexcept
{
    dispatcher_.detach(slot_ - 1);
}

void WorkerSlot::on_worker_lost(WorkerProcess& worker)
{
    if (auto queue = worker.channel().take_worker_end())
        dispatcher_.reclaim(worker.name(), std::move(queue));
}

} // namespace usher
