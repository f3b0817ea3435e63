// SPDX-License-Identifier: MIT
#include "balancer/worker/worker_process.hpp"

#include "balancer/config/keys.hpp"
#include "balancer/config/units/duration.hpp"
#include "balancer/config/units/signal_name.hpp"
#include "balancer/config/units/slot_text.hpp"
#include "balancer/worker/oom_ledger.hpp"
#include "balancer/worker/probe.hpp"
#include "balancer/worker/worker_cgroup.hpp"
#include "balancer/worker/worker_command.hpp"
#include "common/async/helper_looks.hpp"
#include "common/async/helper_thread.hpp"
#include "common/sys/proc/process_memory.hpp"
#include "common/sys/process/capability.hpp"
#include "common/sys/process/own_cgroup.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include <linux/capability.h>
#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

/// A container's root often has not what it would take to see what a worker of another user has
/// open (proc_pid_fd(5)).
bool is_blind_for(const ResolvedPool& config)
{
    return config.account.is_other_user() && !sys::has_capability(CAP_SYS_PTRACE);
}

/// Of connections, which then keep a drain going as long as it may.
std::string unknown_number(const ResolvedPool& config)
{
    return is_blind_for(config) ? "an unknown number, which usher sees only with CAP_SYS_PTRACE,"
                                : "an unknown number";
}

/// The pidfd of a worker that somebody traces is readable before we may reap it: its end is the
/// tracer's first, and no further event follows (ptrace(2), wait_consider_task() in the kernel).
constexpr std::chrono::milliseconds traced_zombie_interval{100};

/// Its memory is asked for so often.
constexpr std::chrono::milliseconds memory_interval{10'000};

/// A signal is said with the number of connections that it ends, so it waits for that; but no
/// longer than this, and not if anything happens: the kernel's table of them is long where many
/// have ended lately.
constexpr std::chrono::milliseconds count_patience{5'000};

/// Who else is in its process group is asked for no longer than this.
constexpr std::chrono::milliseconds group_patience{1'000};

/// For one line.
std::string names_of(const std::vector<sys::GroupMember>& members)
{
    constexpr std::size_t most = 8;
    std::string text;
    for (std::size_t i = 0; i < std::min(members.size(), most); ++i)
        text += fmt::format("{}{} (pid {})", i == 0 ? "" : ", ", on_one_line(members[i].name),
                            members[i].pid);
    return members.size() <= most ? text
                                  : fmt::format("{} and {} more", text, members.size() - most);
}

/// What a worker is given that may wait for a disk, or a lock in the kernel.
struct Surroundings {
    std::optional<InboxSocket> inbox{};
    std::shared_ptr<sys::Cgroup> cgroup{}; ///< null: the master's
    std::string cgroup_trouble{};          ///< why
    std::optional<sys::OomKills> oom_kills{};
};

Surroundings make_surroundings(uid_t user, bool has_inbox, CgroupMode mode,
                               const WorkerIdentity& identity)
{
    Surroundings result;
    if (has_inbox)
        result.inbox = open_inbox(user);
    // The kernel's list of mounts may be long, so that it is not read where that says nothing.
    std::string cgroup;
    if (mode != CgroupMode::off) {
        cgroup = sys::own_cgroup();
        result.cgroup = make_worker_cgroup(mode, cgroup, identity, result.cgroup_trouble);
    }
    result.oom_kills = sys::count_oom_kills(result.cgroup ? result.cgroup->folder() : cgroup);
    return result;
}

/// What a look at a worker's process group finds.
struct GroupLook {
    std::vector<sys::GroupMember> members;
    std::optional<std::uint64_t> oom_kills;
};

/// The ledgers of this master.
OomLedger& oom_ledger()
{
    static OomLedger ledger;
    return ledger;
}

} // namespace

WorkerProcess::WorkerProcess(const asio::any_io_executor& executor,
                             std::shared_ptr<ResolvedPool> config, WorkerIdentity identity,
                             std::shared_ptr<WorkerLink> link, EventBus& events, Outputs& outputs,
                             OnChange on_change, double dice)
    : identity_{std::move(identity)},
      on_change_{std::move(on_change)},
      config_{std::move(config)},
      first_stall_timeout_{config_->stall_timeout},
      link_{std::move(link)},
      outputs_{outputs},
      events_{events},
      lifecycle_{*config_, Clock::now()},
      recycle_policy_{config_->recycle, dice},
      wake_{executor}
{
    apply_limits();
}

asio::awaitable<void> WorkerProcess::start(std::shared_ptr<Bus> bus, asio::steady_timer& deadline)
{
    auto output = config_->output;
    output.file = fill_slot(output.file, identity_.slot);
    output.errors = fill_slot(output.errors, identity_.slot);
    Outputs::Writer writer{.pool = identity_.pool,
                           .slot = identity_.slot,
                           .is_stranger = config_->account.is_other_user()};
    output_ = co_await outputs_.connect(std::move(output), std::move(writer), deadline);
    const auto user = config_->account.user.value_or(::geteuid());
    // With dialect auto most have a way of their own, and need not pay for one they were not asked
    // to use.
    const bool has_inbox = config_->dialect == Dialect::automatic
                               ? config_->ready == Readiness::notify
                               : config_->dialect != Dialect::native;
    auto make = [user, has_inbox, mode = config_->run_as.cgroup, identity = identity_] {
        return make_surroundings(user, has_inbox, mode, identity);
    };
    std::optional<Surroundings> given{std::in_place};
    static std::array<HelperLooks, 2> looks; // an inbox's folder that hangs stops none without one
    if (has_inbox || config_->run_as.cgroup != CgroupMode::off)
        given = co_await looks[has_inbox ? 1 : 0].look(std::move(make), deadline);
    if (!given)
        throw std::runtime_error{"the folder of its cgroup, or of its NOTIFY_SOCKET, does not "
                                 "answer in time"};
    std::string inbox_trouble;
    if (given->inbox) {
        inbox_trouble = given->inbox->trouble;
        notify_ =
            std::make_shared<NotifyInbox>(wake_.get_executor(), user, std::move(*given->inbox));
    }
    const BusIdentity on_bus{.pool = identity_.pool,
                             .slot = identity_.slot,
                             .worker = identity_.id,
                             .generation = identity_.generation};
    bus_port_.emplace(std::move(bus), on_bus, config_->bus,
                      config_->account.is_other_user() ? InboundSocket::Senders::others
                                                       : InboundSocket::Senders::ours);
    auto command =
        make_worker_command(*config_, identity_, *link_,
                            notify_ ? notify_->address() : std::string{}, bus_port_->worker_end());
    if (output_) {
        command.output = output_->worker_output();
        command.errors = output_->worker_errors();
    }
    command.cgroup = given->cgroup;
    oom_kills_ = given->oom_kills;
    counts_oom_alone_ = oom_kills_ && given->cgroup &&
                        oom_kills_->counter.starts_with(given->cgroup->folder() + '/');
    if (oom_kills_)
        oom_ledger().on_start(oom_kills_->counter, oom_kills_->count);
    try {
        child_ = co_await ChildProcess::start(std::move(command), deadline);
    } catch (const std::exception&) {
        if (output_) { // a program that was called off may have said something
            output_->start(0);
            output_->finish();
        }
        throw;
    }
    events_ = EventSource{events_.bus(),
                          {.pool = identity_.pool,
                           .slot = identity_.slot,
                           .worker = identity_.id,
                           .pid = pid(),
                           .generation = identity_.generation},
                          name()};
    if (!given->cgroup_trouble.empty())
        events_.publish(EventKind::note, log::Level::warning,
                        "has no cgroup of its own: " + given->cgroup_trouble);
    static bool has_told = false;
    if (!inbox_trouble.empty() && !std::exchange(has_told, true))
        events_.publish(EventKind::note, log::Level::warning,
                        "has an abstract NOTIFY_SOCKET, which anybody on this machine can keep "
                        "busy: " +
                            inbox_trouble);
}

asio::awaitable<sys::ExitStatus> WorkerProcess::run()
{
    const auto self = shared_from_this();
    if (output_)
        output_->start(pid());
    WorkerLink::Observer& observer = *this;
    link_->start(pid(), observer);
    bus_port_->start();
    if (notify_)
        notify_->start([this](const Notification& notification) { on_notification(notification); });
    child_->async_wait([self] {
        self->has_shown_its_end_ = true;
        self->wake_.cancel();
    });

    for (;;) {
        std::optional<sys::ExitStatus> status;
        const bool has_ended = child_->has_ended();
        if (has_ended) {
            detach();
            if (!is_group_gone() && Clock::now() >= group_watch_.next())
                co_await look_at_group();
            if (is_group_gone())
                status = child_->reap();
            else
                tell_group();
        }
        const auto action =
            status ? WorkerLifecycle::Action::none : lifecycle_.advance(Clock::now());
        if (action == WorkerLifecycle::Action::give_up) {
            events_.publish(EventKind::signalled, log::Level::error,
                            "hangs where SIGKILL does not reach it, and is waited for no longer");
            child_->give_up();
            status = sys::ExitStatus{.by_signal = true, .code = SIGKILL};
        }
        if (status) {
            look_for_oom(*status);
            if (counts_oom_alone_)
                oom_ledger().forget(oom_kills_->counter);
            end_probe();
            detach();
            link_->finish();
            bus_port_->on_ended();
            if (notify_)
                notify_->close();
            if (output_)
                output_->finish();
            co_return *status;
        }
        if (action != WorkerLifecycle::Action::none) {
            bus_port_->on_leaving();
            // Before anybody counts what is open: nothing more comes to it.
            on_change_(false);
            detach();
            if (action == WorkerLifecycle::Action::drain)
                drain();
            const auto now = Clock::now();
            wake_.expires_at(
                action == WorkerLifecycle::Action::kill
                    ? now
                    : std::min(lifecycle_.deadline().value_or(Clock::time_point::max()),
                               now + count_patience));
            std::string open; // it has no connections, or its own are not all
            if (link_->has_connections() && !has_ended) {
                const auto counted = co_await link_->count_open(wake_);
                open = counted ? std::to_string(*counted) : unknown_number(*config_);
            }
            if (action == WorkerLifecycle::Action::kill)
                co_await look_at_group(); // to say who is killed
            perform(action, open);
            continue;
        }
        auto deadline = lifecycle_.deadline().value_or(Clock::time_point::max());
        if (has_ended)
            deadline = std::min(deadline, group_watch_.next());
        else if (has_shown_its_end_)
            deadline = std::min(deadline, Clock::now() + traced_zombie_interval);
        wake_.expires_at(deadline);
        co_await wake_.async_wait(asio::as_tuple(asio::deferred));
    }
}

std::string WorkerProcess::name() const
{
    return fmt::format("{} (pid {})", identity_.label, pid());
}

void WorkerProcess::tell(void (WorkerLifecycle::*what)(Clock::time_point))
{
    (lifecycle_.*what)(Clock::now());
    wake_.cancel();
}

void WorkerProcess::stop()
{
    if (link_->has_connections() || ends_by_itself_)
        lifecycle_.stop(Clock::now(), ends_by_itself_ || link_->can_drain_early());
    else
        lifecycle_.retire(Clock::now());
    wake_.cancel();
}

/// It is at fault: what it had not taken goes to others, then it is ended.
void WorkerProcess::blame(EventKind kind, const std::string& text, WorkerLifecycle::Action action)
{
    if (lifecycle_.state() >= WorkerLifecycle::State::terminating)
        return;
    is_at_fault_ = true;
    events_.publish(kind, log::Level::error, text);
    lifecycle_.retire(Clock::now(), action);
    wake_.cancel();
}

Delivery WorkerProcess::send_message(const std::shared_ptr<const ProgramMessage>& message)
{
    return lifecycle_.state() > WorkerLifecycle::State::ready ? Delivery::none
                                                              : link_->send_message(message);
}

void WorkerProcess::look(Clock::time_point now, bool suspended)
{
    if (suspended)
        hang_detector_.forgive(now);
    if (const auto fault = link_->audit(); !fault.empty())
        on_fault(std::string{fault});
    if (lifecycle_.state() != WorkerLifecycle::State::ready)
        return;
    auto known = figures().value_or(Figures{});
    rate_.look(now, known.handed_off);
    known.heartbeat = std::max(known.heartbeat, watchdog_at_);
    const auto reason = hang_detector_.look({.now = now,
                                             .stall_timeout = config_->stall_timeout,
                                             .promised = first_stall_timeout_,
                                             .figures = known});
    if (!reason.empty())
        blame(EventKind::stalled, "hangs, because " + reason, WorkerLifecycle::Action::abort);
    sample_memory(now);
}

void WorkerProcess::follow(const ResolvedPool& next)
{
    bring_in(*config_, next);
    apply_limits();
    if (!config_->probe)
        on_probe({}); // its word is enough
    wake_.cancel();
}

void WorkerProcess::apply_limits()
{
    link_->set_limits({.max_queue = config_->max_queue,
                       .move_after = config_->move_after,
                       .due_at = recycle_policy_.limits().max_connections},
                      [this] { on_change_(false); });
}

/// Has the kernel asked how much memory it has; the answer comes later.
void WorkerProcess::sample_memory(Clock::time_point now)
{
    if (config_->recycle.max_memory == 0 || now < next_sample_)
        return;
    if (memory_error_ && !std::exchange(said_blind_, true))
        events_.publish(EventKind::note, log::Level::warning,
                        "its memory cannot be read, so that max_memory has no effect: " +
                            memory_error_.message());
    next_sample_ = Clock::time_point::max();
    // The kernel waits for the lock that a worker holds while it maps memory, perhaps from a disk.
    auto read = [process = pid()] {
        std::uint64_t bytes = 0;
        const auto error = sys::proportional_set_size(process, bytes);
        return std::pair{error, bytes};
    };
    asio::co_spawn(wake_.get_executor(), on_helper_thread(read),
                   [weak = weak_from_this()](const std::exception_ptr& failure, auto answer) {
                       const auto self = weak.lock();
                       if (!self)
                           return;
                       self->next_sample_ = Clock::now() + memory_interval;
                       if (failure)
                           return;
                       self->memory_error_ = answer.first;
                       if (answer.first)
                           return;
                       self->memory_ = answer.second;
                       self->had_enough_memory_ |=
                           !self->recycle_policy_.has_too_much(answer.second);
                   });
}

std::string WorkerProcess::look_for_recycling(Clock::time_point now,
                                              std::chrono::milliseconds memory_patience) const
{
    if (lifecycle_.state() != WorkerLifecycle::State::ready)
        return {};
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - ready_at_);
    return recycle_policy_.look({.connections = figures().value_or(Figures{}).handed_off,
                                 .age = age,
                                 .memory = memory_,
                                 .memory_patience = memory_patience});
}

std::optional<WorkerProcess::Memory> WorkerProcess::memory(Clock::time_point now) const
{
    if (lifecycle_.state() != WorkerLifecycle::State::ready || memory_ == 0 ||
        config_->recycle.max_memory == 0)
        return std::nullopt;
    return Memory{.age = std::chrono::duration_cast<std::chrono::milliseconds>(now - ready_at_),
                  .bytes = memory_,
                  .is_too_much = recycle_policy_.has_too_much(memory_),
                  .has_grown = had_enough_memory_};
}

void WorkerProcess::on_probe(std::string failure)
{
    if (lifecycle_.state() != WorkerLifecycle::State::probing) // it is being ended by now
        return;
    probe_failure_ = std::move(failure);
    if (probe_failure_.empty())
        become_ready();
    else
        events_.publish(EventKind::probe_failed, log::Level::info,
                        probe_failure_ + "; it is asked again");
}

/// `open` is how many connections it has, for people; empty if it cannot have any.
void WorkerProcess::perform(WorkerLifecycle::Action action, const std::string& open)
{
    const auto still_open = open.empty() ? std::string{} : fmt::format(", {} still open", open);
    switch (action) {
    case WorkerLifecycle::Action::none:
    case WorkerLifecycle::Action::give_up: // nothing more can be done to it
        break;
    case WorkerLifecycle::Action::drain: {
        const auto known = figures();
        const auto queue = known ? fmt::format("{} queued and ", known->queued) : std::string{};
        const auto connections = open.empty() ? open : fmt::format(", {}{} open", queue, open);
        events_.publish(EventKind::disconnect, log::Level::info,
                        fmt::format("draining{}, for up to {}", connections,
                                    format_duration(config_->drain_timeout)));
        break;
    }
    case WorkerLifecycle::Action::terminate:
    case WorkerLifecycle::Action::abort: {
        const bool hangs = action == WorkerLifecycle::Action::abort;
        const int signal = hangs ? config_->hang_signal : config_->stop_signal;
        if (lifecycle_.has_start_timed_out())
            events_.publish(
                EventKind::retired, log::Level::error,
                fmt::format("not ready after {}{}, SIG{}", format_duration(config_->start_timeout),
                            start_failure().empty() ? "" : ", because " + start_failure(),
                            signal_text(signal)));
        else
            events_.publish(EventKind::signalled, hangs ? log::Level::warning : log::Level::info,
                            fmt::format("SIG{}{}", signal_text(signal), still_open));
        // First what it had not taken goes to the others, then it is told.
        end_probe();
        link_->cut_off(is_at_fault_);
        send_end_signal(signal);
        lifecycle_.on_signalled(Clock::now()); // counting what is open may have taken long
        break;
    }
    case WorkerLifecycle::Action::kill: {
        const bool has_others = group_ && !group_->empty();
        const char* const before_names = child_->has_ended() ? ": " : ", with ";
        events_.publish(EventKind::signalled, log::Level::warning,
                        "SIGKILL to its process group" + still_open +
                            (has_others ? before_names + names_of(*group_) : std::string{}));
        child_->kill_group();
        break;
    }
    }
}

/// To all of its group, unless the process that was started is to see to the others.
void WorkerProcess::send_end_signal(int signal)
{
    if (config_->stop_scope == StopScope::leader && !child_->has_ended())
        return child_->signal(signal);
    was_group_told_ = true;
    child_->signal_group(signal);
}

/// On a helper thread, since there may be many processes.
asio::awaitable<void> WorkerProcess::look_at_group()
{
    const auto start = Clock::now();
    asio::steady_timer patience{wake_.get_executor(), group_patience};
    auto look = [group = pid(), counter = oom_kills_ ? oom_kills_->counter : std::string{}] {
        return GroupLook{.members = sys::members_of_group(group),
                         .oom_kills = sys::read_oom_kills(counter)};
    };
    auto seen = co_await group_looks_.look(std::move(look), patience);
    group_.reset();
    if (seen) {
        group_ = std::move(seen->members);
        if (oom_kills_ && seen->oom_kills)
            oom_kills_->count = *seen->oom_kills;
    }
    is_group_hidden_ = !group_;
    group_watch_.on_look(start, Clock::now());
}

/// The kernel kills by SIGKILL, as people do; but it counts.
void WorkerProcess::look_for_oom(const sys::ExitStatus& status)
{
    const bool is_ours = lifecycle_.state() == WorkerLifecycle::State::killing;
    if (!status.by_signal || status.code != SIGKILL || is_ours || !oom_kills_ ||
        !oom_ledger().claim(oom_kills_->counter, oom_kills_->count))
        return;
    oom_text_ = oom_kills_->counter == sys::machine_oom_counter
                    ? ", most likely out of memory: the kernel has killed for that (its log says "
                      "whom)"
                    : ", out of memory";
}

bool WorkerProcess::is_hidden() const
{
    const auto known = figures();
    return link_->has_connections() && !(known && known->open) && is_blind_for(*config_);
}

std::string WorkerProcess::describe(const sys::ExitStatus& status) const
{
    return status.to_string() + oom_text_;
}

/// The process has ended: true if it has left nobody behind who may still finish something.  If
/// nobody can look, only who was asked to end is waited for.
bool WorkerProcess::is_group_gone() const noexcept
{
    const auto state = lifecycle_.state();
    if (state == WorkerLifecycle::State::killing)
        return true;
    return group_ ? group_->empty() : is_group_hidden_ && state < WorkerLifecycle::State::draining;
}

/// The process has ended, others of its group have not: they are to end, too, but in order.
void WorkerProcess::tell_group()
{
    if (was_group_told_ || !group_)
        return;
    events_.publish(EventKind::note, log::Level::info,
                    fmt::format("has ended, and left {} in its process group", names_of(*group_)));
    if (lifecycle_.state() < WorkerLifecycle::State::terminating)
        lifecycle_.retire(Clock::now());
    else
        send_end_signal(config_->stop_signal);
}

void WorkerProcess::drain()
{
    end_probe();
    if (!link_->drain(config_->drain_timeout) || ends_by_itself_)
        return;
    events_.publish(EventKind::signalled, log::Level::info,
                    fmt::format("SIG{}, to have it drain", signal_text(config_->stop_signal)));
    send_end_signal(config_->stop_signal);
}

std::string WorkerProcess::start_failure() const
{
    if (!probe_failure_.empty())
        return probe_failure_;
    if (!fault_.empty())
        return fault_;
    if (!lifecycle_.has_start_timed_out())
        return was_ready_ ? std::string{} : link_->obstacle();
    return config_->ready == Readiness::notify ? "it has not sent READY=1 to NOTIFY_SOCKET"
                                               : link_->explain_not_ready();
}

void WorkerProcess::become_ready()
{
    lifecycle_.on_ready();
    was_ready_ = true;
    ready_at_ = Clock::now();
    hang_detector_.forgive(ready_at_);
    events_.publish(EventKind::ready, log::Level::info,
                    fmt::format("ready after {} ms", age().count()));
    on_change_(true);
    wake_.cancel();
}

void WorkerProcess::on_online()
{
    events_.publish(EventKind::online, log::Level::debug, "online");
}

void WorkerProcess::on_ready()
{
    if (config_->ready == Readiness::automatic)
        be_ready();
}

void WorkerProcess::on_notification(const Notification& notification)
{
    if (notification.status && *notification.status != says_) {
        says_ = *notification.status;
        events_.publish(EventKind::note, log::Level::debug, "says: " + says_);
    }
    if (notification.stopping)
        on_leaving("says that it stops", true);
    if (config_->ready != Readiness::notify)
        return;
    if (notification.watchdog)
        watchdog_at_ = Clock::now();
    if (notification.ready)
        be_ready();
}

void WorkerProcess::be_ready()
{
    if (lifecycle_.state() != WorkerLifecycle::State::starting)
        return;
    if (!config_->probe)
        return become_ready();

    lifecycle_.on_probing();
    const auto name = name_of(*config_->probe);
    probe_failure_ = name + " has no answer yet";
    events_.publish(EventKind::probing, log::Level::debug, "says it is ready: " + name);
    asio::co_spawn(
        wake_.get_executor(),
        probe(
            config_, [this](int fd) { return link_->send_probe(fd); },
            [this](std::string failure) { on_probe(std::move(failure)); }),
        asio::bind_cancellation_slot(probe_end_.slot(),
                                     [self = shared_from_this()](const std::exception_ptr& error) {
                                         if (error)
                                             std::rethrow_exception(error);
                                     }));
}

void WorkerProcess::on_leaving(std::string reason, bool has_said_so)
{
    has_said_goodbye_ |= has_said_so;
    if (lifecycle_.state() < WorkerLifecycle::State::draining)
        events_.publish(EventKind::note, log::Level::info, reason);
    ends_by_itself_ = true;
    stop();
}

void WorkerProcess::on_idle()
{
    if (!child_->has_ended()) // or it is only what others of its group have that cannot be seen
        tell(&WorkerLifecycle::on_idle);
}

void WorkerProcess::on_fault(std::string reason)
{
    if (!was_ready_)
        fault_ = "it " + reason;
    blame(EventKind::retired, "retired, because it " + reason, WorkerLifecycle::Action::terminate);
}

void WorkerProcess::on_note(std::string text)
{
    events_.publish(EventKind::note, log::Level::info, text);
}

void WorkerProcess::on_warning(std::string text)
{
    events_.publish(EventKind::note, log::Level::warning, text);
}

void WorkerProcess::on_misfit()
{
    if (lifecycle_.state() >= WorkerLifecycle::State::terminating)
        return;
    is_misfit_ = true;
    lifecycle_.retire(Clock::now());
    wake_.cancel();
}

void WorkerProcess::on_message(std::string_view text)
{
    events_.publish(EventKind::message, log::Level::debug, "message " + on_one_line(text));
}

} // namespace usher
