// SPDX-License-Identifier: MIT
#include "balancer/worker/worker_slot.hpp"

#include "balancer/config/units/duration.hpp"
#include "common/text/counted.hpp"
#include "common/text/one_line.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <fmt/core.h>

#include <utility>

namespace asio = boost::asio;

namespace usher {

using Clock = WorkerProcess::Clock;

WorkerSlot::WorkerSlot(Shared& shared, std::shared_ptr<const ResolvedPool> config,
                       std::uint64_t member, WorkerIdentity identity)
    : shared_{shared},
      config_{std::move(config)},
      member_{member},
      identity_{std::move(identity)},
      events_{shared.events,
              {.pool = identity_.pool, .slot = identity_.slot, .generation = identity_.generation},
              identity_.label},
      delay_{shared.executor}
{
}

asio::awaitable<void> WorkerSlot::run()
{
    co_await asio::post(shared_.executor,
                        asio::deferred); // whoever leaves at this moment does so first
    while (!is_over()) {
        const auto started = Clock::now();
        const bool is_over = co_await run_worker();
        if (!stopping_ && is_over && !leaves_it_at_that())
            co_await back_off(std::chrono::floor<RestartPolicy::Duration>(Clock::now() - started));
    }
    ended_ = true;
    shared_.outputs.close_unused_soon(); // its own file, if it has one
    shared_.on_change(*this);
}

/// Of the first worker of the pool that is ready: it holds for all.
void WorkerSlot::warn_of_hidden_connections()
{
    if (!worker_->is_hidden())
        return;
    const EventSource pool{shared_.events, {.pool = config_->name}};
    pool.publish(
        EventKind::note, log::Level::warning,
        fmt::format("pool \"{}\": without CAP_SYS_PTRACE usher cannot see what its workers "
                    "have open, so that each drain lasts the whole drain_timeout, {}; "
                    "give usher that capability",
                    config_->name, format_duration(config_->drain_timeout)));
}

/// False if another is to be started at once, which will be spoken to in another way.
asio::awaitable<bool> WorkerSlot::run_worker()
{
    ++starts_;
    last_exit_ = {};
    is_success_ = false;
    try {
        const auto on_change = [this](bool has_become_ready) {
            was_ready_ |= has_become_ready;
            if (has_become_ready && !std::exchange(shared_.was_ever_ready, true))
                warn_of_hidden_connections();
            if (has_become_ready && routed_)
                worker_->attach();
            shared_.on_change(*this);
        };
        identity_.id = ++shared_.last_worker_id;
        const auto config = std::make_shared<ResolvedPool>(*config_);
        auto worker = std::make_shared<WorkerProcess>(
            shared_.executor, config, identity_, shared_.intake->connect(config, identity_),
            shared_.events, shared_.outputs, on_change, roll_dice());
        delay_.expires_after(config_->start_timeout);
        co_await worker->start(shared_.buses.find(*config), delay_);
        worker_ = std::move(worker);
    } catch (const std::exception& e) {
        last_failure_ = e.what();
        last_output_.clear();
        if (!stopping_)
            events_.publish(EventKind::spawn_failed, log::Level::error,
                            std::string{"cannot be started: "} + e.what());
        co_return true;
    }

    worker_->events().publish(EventKind::fork, log::Level::info, "started");
    worker_->follow(*config_); // what came meanwhile
    if (stopping_)
        worker_->stop();
    const auto status = co_await worker_->run();
    is_success_ = status == sys::ExitStatus{} && !worker_->was_at_fault();
    last_failure_ = (status.by_signal ? "the worker was " : "the worker ") +
                    worker_->describe(status) +
                    (worker_->was_ready() ? "" : " before it was ready");
    if (const auto reason = worker_->start_failure(); !reason.empty())
        last_failure_ += ": " + reason;
    last_output_ = worker_->last_output();
    last_exit_.is_orderly = worker_->has_said_goodbye() && is_success_;
    last_exit_.was_ready = worker_->was_ready();
    const bool is_meant = stopping_ || last_exit_.is_orderly || worker_->is_misfit() ||
                          (is_success_ && config_->restart.on != RestartConfig::On::always);
    worker_->events().publish(
        EventKind::exit, is_meant ? log::Level::info : log::Level::warning,
        fmt::format("{} after {} ms", worker_->describe(status), worker_->age().count()));
    const bool is_misfit = worker_->is_misfit();
    worker_.reset();
    shared_.on_change(*this);
    co_return !is_misfit;
}

void WorkerSlot::publish_last_output()
{
    // Who reads our standard error has read these lines already; who asked for a reload has not.
    const bool has_file = !config_->output.file.empty() || !config_->output.errors.empty();
    const auto level = has_file ? log::Level::error : log::Level::debug;
    for (const auto& line : last_output_)
        events_.publish(EventKind::output, level, "wrote: " + on_one_line(line));
    last_output_.clear();
}

/// True if no worker is to follow the one that has ended, whatever its failures.
bool WorkerSlot::leaves_it_at_that()
{
    if (on_trial_ || RestartPolicy::has_follower(config_->restart, is_success_))
        return false;
    (is_success_ ? done_ : failed_) = true;
    if (is_success_)
        events_.publish(EventKind::note, log::Level::info,
                        "has done its work, and none is started in its place");
    else
        events_.publish(EventKind::gave_up, log::Level::error,
                        "none is started in its place, as restart.on has it; last: " +
                            last_failure_);
    return true;
}

asio::awaitable<void> WorkerSlot::back_off(RestartPolicy::Duration uptime)
{
    last_exit_.uptime = uptime;
    last_exit_.is_on_trial = on_trial_;
    last_exit_.was_any_ready = shared_.was_ever_ready;
    const auto delay = policy_.after_exit(*config_, last_exit_, roll_dice());
    if (!delay) {
        failed_ = true;
        events_.publish(EventKind::gave_up, log::Level::error,
                        fmt::format("failed {} in a row{}; last: {}",
                                    counted(policy_.failures(), "time"),
                                    on_trial_ ? "" : ", given up", last_failure_));
        publish_last_output();
        co_return;
    }
    if (policy_.failures() == config_->restart.give_up_after + 1)
        events_.publish(EventKind::gave_up, log::Level::error,
                        fmt::format("failed {} in a row; it is tried again every {} until it "
                                    "works; last: {}",
                                    counted(policy_.failures(), "time"),
                                    format_duration(config_->restart.longest_delay),
                                    last_failure_));
    events_.publish(EventKind::back_off, log::Level::info,
                    fmt::format("next start in {} ms", delay->count()));
    delay_.expires_after(*delay);
    co_await delay_.async_wait(asio::as_tuple(asio::deferred));
}

bool WorkerSlot::is_ready() const noexcept
{
    return worker_ && worker_->state() == WorkerLifecycle::State::ready;
}

void WorkerSlot::route()
{
    routed_ = was_routed_ = true;
    if (is_ready())
        worker_->attach();
}

void WorkerSlot::unroute() noexcept
{
    routed_ = false;
    if (worker_)
        worker_->detach();
}

void WorkerSlot::set_config(std::shared_ptr<const ResolvedPool> config)
{
    config_ = std::move(config);
    if (worker_)
        worker_->follow(*config_);
}

void WorkerSlot::stop()
{
    if (std::exchange(stopping_, true))
        return;
    delay_.expires_at(Clock::time_point::min()); // and no later wait begins
    unroute();
    shared_.on_change(*this);
    if (worker_)
        worker_->stop();
}

void WorkerSlot::hurry()
{
    stop();
    if (worker_)
        worker_->hurry();
}

} // namespace usher
