// SPDX-License-Identifier: MIT
#include "balancer/supervise/worker_process.hpp"

#include "balancer/config/duration.hpp"
#include "balancer/config/signal_name.hpp"
#include "balancer/dialect/preload.hpp"
#include "balancer/supervise/worker_cgroup.hpp"
#include "balancer/supervise/worker_command.hpp"
#include "common/sys/channel_pair.hpp"
#include "common/sys/own_cgroup.hpp"
#include "common/sys/process_memory.hpp"
#include "common/wire/environment.hpp"

#include <fmt/core.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>

#include <algorithm>
#include <utility>
#include <variant>

namespace asio = boost::asio;

namespace usher {

namespace {

/// The pidfd of a worker that somebody traces is readable before we may reap it: its end is the
/// tracer's first, and no further event follows (ptrace(2), wait_consider_task() in the kernel).
constexpr std::chrono::milliseconds traced_zombie_interval{100};

template <typename... Functions>
struct Overloaded : Functions... {
    using Functions::operator()...;
};

std::unique_ptr<HandoffChannel> make_handoff(const PoolConfig& config,
                                             const std::vector<sys::SocketAddress>& listeners)
{
    if (config.dialect == Dialect::node)
        return nullptr;
    return std::make_unique<HandoffChannel>(config.max_queue, config.dialect == Dialect::preload
                                                                  ? assign_queues(listeners)
                                                                  : std::vector<std::uint8_t>{});
}

std::shared_ptr<NodeWorker> make_node(const asio::any_io_executor& executor,
                                      const PoolConfig& config, const WorkerIdentity& identity,
                                      NodeCluster* cluster)
{
    if (config.dialect != Dialect::node)
        return nullptr;
    return std::make_shared<NodeWorker>(executor, *cluster, identity.id, identity.slot);
}

ChildProcess start(const asio::any_io_executor& executor, const PoolConfig& config,
                   const WorkerIdentity& identity, const HandoffChannel* channel,
                   const NodeWorker* node, const std::vector<sys::SocketAddress>& listeners,
                   const OutputReader* output, std::shared_ptr<ControlChannel>& control,
                   std::optional<OpenConnections>& open_connections, std::string& cgroup_trouble)
{
    WorkerDescriptors descriptors;
    sys::ChannelPair pair;
    if (node != nullptr) {
        descriptors.node = node->worker_fd();
    } else {
        pair = sys::make_channel_pair();
        control = std::make_shared<ControlChannel>(executor, std::move(pair.parent));
        descriptors.handoff = channel->worker_fd();
        descriptors.control = pair.child.get();
        descriptors.scoreboard = channel->scoreboard_fd();
        descriptors.queues = channel->worker_fds();
        descriptors.listeners = listeners;
    }
    if (output != nullptr) {
        descriptors.output = output->worker_output();
        descriptors.errors = output->worker_errors();
    }
    if (config.dialect == Dialect::preload) {
        auto given = descriptors.queues;
        given.push_back(descriptors.control);
        open_connections.emplace(listeners, given);
    }
    auto command = make_worker_command(config, identity, descriptors);
    command.cgroup =
        make_worker_cgroup(config.run_as.cgroup, sys::own_cgroup(), identity, cgroup_trouble);
    return ChildProcess{executor, command};
}

/// A worker's own words on one line: nothing in them can look like a line of the log.
std::string on_one_line(std::string text)
{
    for (char& c : text)
        if (static_cast<unsigned char>(c) < ' ' || c == 0x7f)
            c = ' ';
    constexpr std::size_t longest = 200;
    return text.substr(0, longest);
}

std::chrono::milliseconds since(WorkerLifecycle::Clock::time_point start)
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(WorkerLifecycle::Clock::now() -
                                                                 start);
}

} // namespace

WorkerProcess::WorkerProcess(const asio::any_io_executor& executor,
                             std::shared_ptr<const PoolConfig> config, WorkerIdentity identity,
                             EventBus& events, Outputs& outputs, Observer& observer, double dice,
                             std::vector<sys::SocketAddress> listeners, NodeCluster* cluster)
    : identity_{std::move(identity)},
      observer_{observer},
      config_{std::move(config)},
      events_{events},
      listeners_{std::move(listeners)},
      handoff_{make_handoff(*config_, listeners_)},
      node_{make_node(executor, *config_, identity_, cluster)},
      feed_{node_ ? static_cast<WorkerFeed&>(*node_) : *handoff_},
      output_{
          outputs.connect(config_->output, fmt::format("{}/{}", identity_.pool, identity_.slot))},
      child_{start(executor, *config_, identity_, handoff_.get(), node_.get(), listeners_,
                   output_.get(), control_, open_connections_, cgroup_trouble_)},
      lifecycle_{{.start_timeout = config_->start_timeout,
                  .drain_timeout = config_->drain_timeout,
                  .stop_grace = config_->stop_grace},
                 Clock::now()},
      hang_detector_{config_->stall_timeout},
      recycle_policy_{config_->recycle, dice},
      wake_{executor}
{
    set_limits(*config_);
}

asio::awaitable<sys::ExitStatus> WorkerProcess::run()
{
    const auto self = shared_from_this();
    if (!cgroup_trouble_.empty())
        publish(EventKind::note, log::Level::warning,
                "has no cgroup of its own: " + cgroup_trouble_);
    if (output_)
        output_->start();
    NodeWorker::Observer& observer = *this;
    if (node_)
        node_->start(observer);
    else
        control_->start([this](const wire::ControlMessage& message) { on_message(message); });
    child_.async_wait([self] {
        self->has_shown_its_end_ = true;
        self->wake();
    });

    for (;;) {
        if (const auto status = child_.reap()) {
            stop_probe();
            leave();
            observer_.on_worker_lost(*this);
            if (node_)
                node_->finish();
            else
                control_->close();
            if (output_)
                output_->finish();
            co_return *status;
        }
        const auto action = lifecycle_.advance(Clock::now());
        if (action != WorkerLifecycle::Action::none) {
            perform(action);
            continue;
        }
        if (drain_watch_ && drain_watch_->is_due(Clock::now())) {
            look_for_idle();
            continue;
        }
        auto deadline = lifecycle_.deadline().value_or(Clock::time_point::max());
        if (has_shown_its_end_)
            deadline = std::min(deadline, Clock::now() + traced_zombie_interval);
        if (drain_watch_)
            deadline = std::min(deadline, drain_watch_->next());
        wake_.expires_at(deadline);
        co_await wake_.async_wait(asio::as_tuple(asio::deferred));
    }
}

std::deque<std::string> WorkerProcess::last_output() const
{
    return output_ ? output_->last_errors() : std::deque<std::string>{};
}

std::string WorkerProcess::name() const
{
    return fmt::format("{} (pid {})", identity_.label, pid());
}

void WorkerProcess::publish(EventKind kind, log::Level level, std::string text) const
{
    events_.publish({.kind = kind,
                     .level = level,
                     .message = name() + ": " + std::move(text),
                     .pool = identity_.pool,
                     .slot = identity_.slot,
                     .worker = identity_.id,
                     .pid = pid(),
                     .generation = identity_.generation});
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
    publish(EventKind::retired, log::Level::error, "retired, because it " + reason);
    lifecycle_.retire(Clock::now());
    wake();
}

void WorkerProcess::abort_hung(std::string reason)
{
    if (lifecycle_.state() >= WorkerLifecycle::State::terminating)
        return;
    publish(EventKind::stalled, log::Level::error, "hangs, because " + std::move(reason));
    lifecycle_.abort(Clock::now());
    wake();
}

void WorkerProcess::audit()
{
    if (const auto fault = feed_.audit(); !fault.empty())
        retire(std::string{fault});
}

void WorkerProcess::look_for_hang(Clock::time_point now)
{
    if (lifecycle_.state() != WorkerLifecycle::State::ready)
        return;
    auto reason = hang_detector_.look({.now = now,
                                       .queued = feed_.queued(),
                                       .taken = feed_.taken(),
                                       .heartbeat = feed_.heartbeat()});
    if (!reason.empty())
        abort_hung(std::move(reason));
}

void WorkerProcess::set_limits(const PoolConfig& config)
{
    feed_.set_max_queue(config.max_queue);
    recycle_policy_.set_limits(config.recycle);
    feed_.notify_at(recycle_policy_.limits().max_connections,
                    [this] { observer_.on_worker_due(); });
}

std::error_code WorkerProcess::sample_memory() noexcept
{
    return sys::proportional_set_size(pid(), memory_);
}

std::string WorkerProcess::look_for_recycling(Clock::time_point now) const
{
    if (lifecycle_.state() != WorkerLifecycle::State::ready)
        return {};
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - ready_at_);
    return recycle_policy_.look({.connections = feed_.handed_off(), .age = age, .memory = memory_});
}

void WorkerProcess::forgive(Clock::time_point now) noexcept
{
    hang_detector_.forgive(now);
}

void WorkerProcess::leave() noexcept
{
    if (!std::exchange(left_, true))
        observer_.on_worker_leaving(*this);
}

void WorkerProcess::stop_probe() noexcept
{
    if (probe_)
        probe_->stop();
}

std::string WorkerProcess::probe_failure() const
{
    return probe_ && !was_ready_ ? probe_->failure() : std::string{};
}

void WorkerProcess::on_probe_passed()
{
    if (lifecycle_.state() == WorkerLifecycle::State::probing) // or it is being ended by now
        become_ready();
}

void WorkerProcess::on_probe_failed()
{
    publish(EventKind::probe_failed, log::Level::info, probe_failure() + "; it is asked again");
}

void WorkerProcess::perform(WorkerLifecycle::Action action)
{
    switch (action) {
    case WorkerLifecycle::Action::none:
        break;
    case WorkerLifecycle::Action::drain:
        drain();
        break;
    case WorkerLifecycle::Action::terminate:
        if (lifecycle_.has_start_timed_out())
            publish(EventKind::retired, log::Level::error,
                    fmt::format("not ready after {}{}, SIG{}",
                                format_duration(config_->start_timeout),
                                start_failure().empty() ? "" : ", because " + start_failure(),
                                signal_text(config_->stop_signal)));
        else
            publish(EventKind::signalled, log::Level::info,
                    fmt::format("{}, {} still open", "SIG" + signal_text(config_->stop_signal),
                                open_text()));
        end_with(config_->stop_signal);
        break;
    case WorkerLifecycle::Action::abort:
        publish(EventKind::signalled, log::Level::warning,
                fmt::format("{}, {} still open", "SIG" + signal_text(config_->hang_signal),
                            open_text()));
        end_with(config_->hang_signal);
        break;
    case WorkerLifecycle::Action::kill:
        publish(EventKind::signalled, log::Level::warning,
                fmt::format("SIGKILL to its process group, {} still open", open_text()));
        child_.kill_group();
        break;
    }
}

void WorkerProcess::drain()
{
    publish(EventKind::disconnect, log::Level::info,
            fmt::format("draining, {} queued and {} open, for up to {}", feed_.queued(),
                        open_text(), format_duration(config_->drain_timeout)));
    leave();
    if (is_preload()) {
        // A program that knows nothing of us does not know end-of-file on its listening socket;
        // so nothing comes any more, and its signal comes when it has finished.
        drain_watch_.emplace(Clock::now());
        return;
    }
    if (node_)
        return node_->disconnect();
    control_->send(wire::encode(wire::Drain{.timeout = config_->drain_timeout}));
    handoff_->shut_down();
}

void WorkerProcess::look_for_idle()
{
    const auto start = Clock::now();
    if (feed_.queued() == 0 && count_open() == 0U)
        lifecycle_.on_idle(start);
    drain_watch_->on_look(start, Clock::now());
}

bool WorkerProcess::is_preload() const noexcept
{
    return config_->dialect == Dialect::preload;
}

std::optional<std::uint64_t> WorkerProcess::count_open() const
{
    return open_connections_ ? open_connections_->count(pid()) : feed_.open();
}

std::string WorkerProcess::open_text() const
{
    const auto open = count_open();
    return open ? std::to_string(*open) : "an unknown number";
}

std::string WorkerProcess::start_failure() const
{
    if (probe_)
        return probe_failure();
    if (node_)
        return lifecycle_.has_start_timed_out()
                   ? "none of its servers listens, nor has it sent the message \"ready\"; if it "
                     "has "
                     "no server of the cluster's, set node.ready to \"online\""
                   : std::string{};
    return is_preload() && lifecycle_.has_start_timed_out()
               ? explain_missing(listeners_, handoff_->preload_progress())
               : std::string{};
}

void WorkerProcess::end_with(int signal)
{
    // First what it had not taken goes to the others, then it is told.
    stop_probe();
    drain_watch_.reset();
    leave();
    if (handoff_ && !is_preload())
        handoff_->shut_down();
    observer_.on_worker_lost(*this);
    child_.signal(signal);
}

void WorkerProcess::on_message(const wire::ControlMessage& message)
{
    std::visit(Overloaded{
                   [this](const wire::Hello& hello) { on_hello(hello); },
                   [this](const wire::Ready&) { on_ready(); },
                   [this](const wire::Bye& bye) {
                       publish(EventKind::note, log::Level::info,
                               "says it leaves: " + (bye.reason.empty() ? "no reason given"
                                                                        : on_one_line(bye.reason)));
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

    handoff_->set_max_batch(hello.max_batch);
    control_->send(wire::encode(wire::Welcome{.protocol = wire::env::protocol_version,
                                              .worker_id = identity_.id,
                                              .slot = identity_.slot,
                                              .generation = identity_.generation}));
    publish(EventKind::online, log::Level::debug, "online");
}

void WorkerProcess::on_unknown(const wire::UnknownMessage& message)
{
    // A newer worker may say more than this master knows.
    if (unknown_messages_++ == 0)
        publish(
            EventKind::note, log::Level::info,
            fmt::format("message of unknown type \"{}\" ignored, and all others that are unknown",
                        on_one_line(message.type)));
}

void WorkerProcess::on_ready()
{
    if (!said_hello_)
        return retire("said ready before hello");
    if (lifecycle_.state() != WorkerLifecycle::State::starting)
        return;
    if (!config_->probe)
        return become_ready();

    lifecycle_.on_probing();
    Probe::Observer& observer = *this;
    probe_ = std::make_shared<Probe>(wake_.get_executor(), *config_->probe, *handoff_, observer);
    publish(EventKind::probing, log::Level::debug, "says it is ready: " + probe_->name());
    probe_->start();
}

void WorkerProcess::become_ready()
{
    lifecycle_.on_ready();
    was_ready_ = true;
    ready_at_ = Clock::now();
    hang_detector_.forgive(ready_at_);
    publish(EventKind::ready, log::Level::info,
            fmt::format("ready after {} ms", since(started_).count()));
    observer_.on_worker_ready(*this);
    wake();
}

void WorkerProcess::on_node_online()
{
    publish(EventKind::online, log::Level::debug, "online");
    if (config_->node.ready == NodeConfig::Ready::online)
        on_node_ready();
}

void WorkerProcess::on_node_ready()
{
    if (lifecycle_.state() == WorkerLifecycle::State::starting)
        become_ready();
}

void WorkerProcess::on_node_leaving(std::string reason)
{
    if (lifecycle_.state() == WorkerLifecycle::State::ready)
        publish(EventKind::note, log::Level::info, std::move(reason));
    stop();
}

void WorkerProcess::on_node_fault(std::string reason)
{
    retire(std::move(reason));
}

void WorkerProcess::on_node_message(std::string_view message)
{
    constexpr std::size_t longest = 4096;
    publish(EventKind::message, log::Level::debug,
            fmt::format("message {}", message.substr(0, longest)));
}

} // namespace usher
