// SPDX-License-Identifier: MIT
#include "balancer/supervise/worker_process.hpp"

#include "balancer/config/duration.hpp"
#include "balancer/supervise/worker_command.hpp"
#include "common/log.hpp"
#include "common/sys/channel_pair.hpp"
#include "common/wire/environment.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>

#include <csignal>
#include <utility>
#include <variant>

namespace asio = boost::asio;

namespace usher {

namespace {

template <typename... Functions>
struct Overloaded : Functions... {
    using Functions::operator()...;
};

ChildProcess start(const asio::any_io_executor& executor, const PoolConfig& config,
                   const WorkerIdentity& identity, const HandoffChannel& channel,
                   std::shared_ptr<ControlChannel>& control)
{
    auto pair = sys::make_channel_pair();
    control = std::make_shared<ControlChannel>(executor, std::move(pair.parent));
    return ChildProcess{executor, make_worker_command(config, identity,
                                                      {.handoff = channel.worker_fd(),
                                                       .control = pair.child.get(),
                                                       .scoreboard = channel.scoreboard_fd()})};
}

std::chrono::milliseconds since(WorkerLifecycle::Clock::time_point start)
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(WorkerLifecycle::Clock::now() -
                                                                 start);
}

} // namespace

WorkerProcess::WorkerProcess(const asio::any_io_executor& executor, const PoolConfig& config,
                             WorkerIdentity identity, Observer& observer)
    : identity_{std::move(identity)},
      observer_{observer},
      config_{config},
      channel_{config.max_queue},
      child_{start(executor, config_, identity_, channel_, control_)},
      lifecycle_{{.start_timeout = config.start_timeout,
                  .drain_timeout = config.drain_timeout,
                  .stop_grace = config.stop_grace},
                 Clock::now()},
      wake_{executor}
{
}

asio::awaitable<sys::ExitStatus> WorkerProcess::run()
{
    const auto self = shared_from_this();
    control_->start([this](const wire::ControlMessage& message) { on_message(message); });
    child_.async_wait([self] { self->wake(); });

    for (;;) {
        if (const auto status = child_.reap()) {
            leave();
            observer_.on_worker_lost(*this);
            control_->close();
            co_return *status;
        }
        const auto action = lifecycle_.advance(Clock::now());
        if (action != WorkerLifecycle::Action::none) {
            perform(action);
            continue;
        }
        wake_.expires_at(lifecycle_.deadline().value_or(Clock::time_point::max()));
        co_await wake_.async_wait(asio::as_tuple(asio::deferred));
    }
}

std::string WorkerProcess::name() const
{
    return fmt::format("{} (pid {})", identity_.label, pid());
}

void WorkerProcess::wake()
{
    wake_.cancel();
}

void WorkerProcess::stop()
{
    lifecycle_.stop(Clock::now());
    wake();
}

void WorkerProcess::hurry()
{
    lifecycle_.hurry(Clock::now());
    wake();
}

void WorkerProcess::retire(std::string reason)
{
    if (lifecycle_.state() >= WorkerLifecycle::State::terminating)
        return;
    log::error("{}: retired, because it {}", name(), reason);
    lifecycle_.retire(Clock::now());
    wake();
}

void WorkerProcess::audit()
{
    if (const auto fault = channel_.audit(); !fault.empty())
        retire(std::string{fault});
}

void WorkerProcess::leave() noexcept
{
    if (!std::exchange(left_, true))
        observer_.on_worker_leaving(*this);
}

void WorkerProcess::perform(WorkerLifecycle::Action action)
{
    switch (action) {
    case WorkerLifecycle::Action::none:
        break;
    case WorkerLifecycle::Action::drain:
        log::info("{}: draining, {} queued and {} open, for up to {}", name(), channel_.queued(),
                  channel_.open(), format_duration(config_.drain_timeout));
        leave();
        control_->send(wire::encode(wire::Drain{.timeout = config_.drain_timeout}));
        channel_.shut_down();
        break;
    case WorkerLifecycle::Action::terminate:
        if (lifecycle_.has_start_timed_out())
            log::error("{}: not ready after {}, SIGTERM", name(),
                       format_duration(config_.start_timeout));
        else
            log::info("{}: SIGTERM, {} still open", name(), channel_.open());
        leave();
        channel_.shut_down();
        observer_.on_worker_lost(*this);
        child_.signal(SIGTERM);
        break;
    case WorkerLifecycle::Action::kill:
        log::warning("{}: SIGKILL to its process group, {} still open", name(), channel_.open());
        child_.kill_group();
        break;
    }
}

void WorkerProcess::on_message(const wire::ControlMessage& message)
{
    std::visit(
        Overloaded{
            [this](const wire::Hello& hello) { on_hello(hello); },
            [this](const wire::Ready&) { on_ready(); },
            [this](const wire::Bye& bye) {
                log::info("{}: says it leaves: {}", name(),
                          bye.reason.empty() ? "no reason given" : bye.reason);
            },
            [this](const wire::MalformedMessage& bad) {
                retire("sent a malformed control message: " + bad.reason);
            },
            [this](const wire::UnknownMessage& unknown) { on_unknown(unknown); },
            [this](const auto&) { // the master's own words
                on_unknown({.type = "a message only masters send"});
            },
        },
        message);
}

void WorkerProcess::on_hello(const wire::Hello& hello)
{
    if (hello.protocol != wire::env::protocol_version)
        return retire("speaks protocol " + std::to_string(hello.protocol) +
                      ", and this master speaks " + std::to_string(wire::env::protocol_version));
    if (std::exchange(said_hello_, true))
        return retire("said hello twice");

    channel_.set_max_batch(hello.max_batch);
    control_->send(wire::encode(wire::Welcome{.protocol = wire::env::protocol_version,
                                              .worker_id = identity_.id,
                                              .slot = identity_.slot,
                                              .generation = identity_.generation}));
}

void WorkerProcess::on_unknown(const wire::UnknownMessage& message)
{
    // A newer worker may say more than this master knows.
    if (unknown_messages_++ == 0)
        log::info("{}: message of unknown type \"{}\" ignored, and all others that are unknown",
                  name(), message.type.substr(0, 64));
}

void WorkerProcess::on_ready()
{
    if (!said_hello_)
        return retire("said ready before hello");
    if (lifecycle_.state() != WorkerLifecycle::State::starting)
        return;

    lifecycle_.on_ready();
    was_ready_ = true;
    log::info("{}: ready after {} ms", name(), since(started_).count());
    observer_.on_worker_ready(*this);
    wake();
}

} // namespace usher
