// SPDX-License-Identifier: MIT
#include "balancer/master.hpp"

#include "balancer/admin/snapshot/take_snapshot.hpp"
#include "balancer/config/units/duration.hpp"
#include "balancer/dialect/notify/inbox_socket.hpp"
#include "balancer/events/event_json.hpp"
#include "balancer/listen/left_files.hpp"
#include "balancer/pool/listen_places.hpp"
#include "balancer/process/late_reaper.hpp"
#include "balancer/systemd/activation.hpp"
#include "balancer/worker/worker_cgroup.hpp"
#include "common/async/closing_thread.hpp"
#include "common/async/helper_thread.hpp"
#include "common/async/spawn.hpp"
#include "common/log.hpp"
#include "common/sys/process/own_cgroup.hpp"
#include "common/sys/process/pidfd.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

/// For the end after an error, in which nothing is certain any more.
constexpr std::chrono::seconds longest_end{5};

/// So often it is looked whether the files of Unix sockets are still there.
constexpr std::chrono::minutes files_interval{1};

/// Workers are watched through pidfds; better one sentence now than a riddle at every start.
void require_pidfd()
{
    try {
        std::ignore = sys::open_pidfd(::getpid());
    } catch (const std::system_error& e) {
        throw std::runtime_error{std::string{"this system refuses pidfd_open ("} +
                                 e.code().message() +
                                 "): usher needs Linux 5.9 or newer and a sandbox that allows it"};
    }
}

} // namespace

Master::Master(const RunCommand& command, LineWriter& standard_error)
    : log_{bus_,
           [this](const Event& event) {
               for (const auto& line : log_limit_.lines_of(event, LogLimit::Clock::now()))
                   log::write(line.level, line.message,
                              log::format() == log::Format::json ? encode_context(line) : "");
           }},
      signals_{io_.get_executor()},
      outputs_{io_.get_executor(), standard_error, bus_},
      hooks_{io_.get_executor(), bus_, outputs_},
      buses_{io_.get_executor(), bus_},
      pools_{io_.get_executor(),       bus_, outputs_, buses_, [this] { on_all_ended(); },
             [this] { on_given_up(); }},
      notifier_{io_.get_executor(), pools_, bus_},
      orphans_{io_.get_executor()},
      reloader_{io_.get_executor(),
                command.reload,
                pools_,
                buses_,
                bus_,
                [this](const ResolvedConfig& config) {
                    log::set_level(config.log_level);
                    log::set_format(config.log_format);
                    config_ = config;
                    hooks_.set(config.pools);
                    watch_files(config);
                }},
      watchers_{io_.get_executor(), bus_,
                [this](std::string pool) { return renew(std::move(pool)); }},
      control_{io_.get_executor(), command.control, *this},
      lame_duck_timer_{io_},
      files_timer_{io_},
      config_{command.config}
{
    require_pidfd();

    // A client or worker that goes away is an EPIPE for whoever writes, not the master's end.
    ::signal(SIGPIPE, SIG_IGN);
    // If that were ignored, children would have no exit status.
    ::signal(SIGCHLD, SIG_DFL);
    left_files::watch([this] { asio::post(io_, [this] { say_left_files(); }); });
}

Master::~Master()
{
    left_files::watch({});
}

void Master::say_left_files()
{
    for (const auto& sentence : left_files::take())
        events_.publish(EventKind::note, log::Level::warning, sentence);
}

int Master::run()
{
    events_.publish(EventKind::note, log::Level::info,
                    fmt::format("usher {}, master pid {}", USHER_VERSION, ::getpid()));
    control_.open();
    hooks_.set(config_.pools);
    const auto pools = open_pools();
    remove_leftover_cgroups(sys::own_cgroup());
    for (const auto& pool : pools)
        if (pools_.add(pool))
            pool->start();
    control_.start();
    notifier_.start();
    orphans_.start();
    watch_files(config_);
    signals_.start([this](SignalOrder order, const std::string& name) { on_signal(order, name); });
    spawn(io_, look_after_files());

    try {
        io_.run();
    } catch (const std::exception& e) {
        end_after(e);
        return 1;
    }

    const bool all_done =
        !pools_.all().empty() && std::ranges::all_of(pools_.all(), [](const auto& pool) {
            return pool->has_ended() && pool->failure().empty();
        });
    if (!stopping_ && all_done) {
        events_.publish(EventKind::stopped, log::Level::info,
                        "every worker has done its work, stopped");
        return 0;
    }
    if (!stopping_) {
        events_.publish(EventKind::stopped, log::Level::error,
                        "nothing is left to serve with, giving up");
        return 1;
    }
    if (has_given_up_) {
        events_.publish(EventKind::stopped, log::Level::error, "stopped, as a pool has given up");
        return 1;
    }
    events_.publish(EventKind::stopped, log::Level::info, "stopped");
    return 0;
}

/// What nobody has caught: most likely the kernel has no more to give.  The workers get their end.
void Master::end_after(const std::exception& error) noexcept
{
    is_broken_ = true;
    try {
        events_.publish(EventKind::note, log::Level::error,
                        std::string{"cannot go on: "} + error.what());
        stop(true);
        io_.run_for(longest_end);
        events_.publish(EventKind::stopped, log::Level::error, "stopped after an error");
    } catch (const std::exception&) { // NOLINT(bugprone-empty-catch)
        // The process ends anyway, and the workers see that.
    }
}

std::vector<PoolSet::Handle> Master::open_pools()
{
    systemd::warn_without_libsystemd(bus_);
    std::vector<ListenConfig> listeners;
    for (const auto& config : config_.pools)
        listeners.insert(listeners.end(), config.listen.begin(), config.listen.end());
    buses_.adopt(config_.pools, BusSet::open_files(buses_.find_wanted(config_.pools)));
    SocketSource sockets{.inherited = systemd::take_sockets(listeners, bus_)};

    ListenPlaces places;
    std::vector<PoolSet::Handle> pools;
    for (const auto& config : config_.pools) {
        pools.push_back(pools_.make(config, config_.pools.size() > 1));
        places.prepare(*pools.back(), config, sockets).commit();
    }
    return pools;
}

asio::awaitable<void> Master::look_after_files()
{
    while (!pools_.is_over()) {
        files_timer_.expires_after(files_interval);
        co_await files_timer_.async_wait(asio::as_tuple(asio::deferred));
        if (pools_.is_over())
            break;
        spawn(io_, control_.mend());
        co_await reloader_.mend_listeners();
    }
}

void Master::on_signal(SignalOrder order, const std::string& name)
{
    const auto say = [&](const std::string& text, log::Level level = log::Level::info) {
        events_.publish(EventKind::note, level, name + text);
    };
    switch (order) {
    case SignalOrder::stop:
        say("");
        stop(stopping_);
        return;
    case SignalOrder::hang_up:
        say(": the terminal is gone");
        stop(false);
        return;
    case SignalOrder::reload:
        say(": reload");
        return spawn(io_, [this]() -> asio::awaitable<void> {
            // A reload says itself how it went; one that never began has not.
            if (stopping_)
                events_.publish(EventKind::note, log::Level::warning,
                                "not reloading: usher is stopping");
            else
                co_await reload();
        });
    case SignalOrder::reopen:
        say(": opening the log files anew");
        return outputs_.reopen();
    case SignalOrder::more_workers:
        return have_all("scaled", [](Pool& pool) { return pool.scale("+1"); });
    case SignalOrder::fewer_workers:
        return have_all("scaled", [](Pool& pool) { return pool.scale("-1"); });
    case SignalOrder::drain:
        // The listeners stay: clients wait in the backlog for the next reload.
        say(": draining all workers, still listening (SIGHUP brings workers back)");
        return have_all("drained", [](Pool& pool) { return pool.drain(0); });
    case SignalOrder::unknown:
        return say(
            " means nothing to usher, which takes TERM, INT, QUIT, HUP, USR1, TTIN, TTOU and "
            "WINCH",
            log::Level::warning);
    case SignalOrder::none:
        return;
    }
}

/// Asks every pool for `operation`, and says of which it is not `done`.
void Master::have_all(const std::string& done, const Operation& operation)
{
    for (const auto& pool : std::vector{pools_.all()})
        spawn(io_, [this, pool, done, operation]() -> asio::awaitable<void> {
            const auto outcome = co_await operation(*pool);
            if (!outcome.is_done())
                events_.publish(EventKind::note, log::Level::warning,
                                fmt::format("pool \"{}\" is not {}: {}", pool->config().name, done,
                                            outcome.message));
        });
}

/// Whoever wants an end to it wants it for all: the service manager begins anew.
void Master::on_given_up()
{
    if (stopping_)
        return;
    has_given_up_ = true;
    stop(false);
}

/// The programs that are told of the last workers' end have some time yet.
void Master::on_all_ended()
{
    signals_.close();
    hooks_.close([this] { close(); });
}

void Master::close()
{
    lame_duck_timer_.cancel();
    files_timer_.cancel();
    outputs_.close();
    buses_.close();
    watchers_.close();
    control_.close();
    notifier_.close();
    orphans_.close();
    HelperThreads::of(io_.get_executor()).abandon();
    LateReaper::of(io_.get_executor()).abandon();
    do_elsewhere(&remove_inbox_folder);
}

PoolSet::Handle Master::find_pool(std::string_view name, unsigned slot, Outcome& refusal) const
{
    auto found = pools_.find(name);
    if (found && slot <= found->places())
        return found;
    refusal = Outcome::bad_request(
        found ? fmt::format("there is no slot {}, the last one is {}", slot, found->places())
        : name.empty()
            ? fmt::format("there are several pools; say which by --pool NAME: {}", pools_.names())
            : fmt::format("there is no pool \"{}\"; there is {}", name, pools_.names()));
    return nullptr;
}

std::shared_ptr<Bus> Master::find_bus(const std::string& pool, Outcome& refusal)
{
    const auto found = find_pool(pool, 0, refusal);
    auto bus = found ? found->bus() : nullptr;
    if (found && !bus)
        refusal = Outcome::failure(fmt::format("pool \"{}\" has ended", found->config().name));
    return bus;
}

asio::awaitable<Outcome> Master::reload()
{
    if (stopping_)
        co_return Outcome::failure("usher is stopping");
    spawn(io_, control_.mend());
    co_return co_await reloader_.reload();
}

void Master::watch_files(const ResolvedConfig& config)
{
    if (stopping_)
        return;
    watchers_.update(config);
    if (!watchers_.is_watching())
        awaits_change_.reset();
    else if (!awaits_change_)
        awaits_change_.emplace(pools_);
}

asio::awaitable<std::string> Master::renew(std::string name)
{
    if (stopping_)
        co_return std::string{};
    const auto pool = pools_.find(name);
    // One that has given up, perhaps in a reload before, only a reload brings back, which also says
    // itself how it went.
    if (!pool || pool->has_ended()) {
        std::ignore = co_await reload();
        co_return std::string{};
    }
    const auto outcome = co_await pool->restart(0);
    co_return outcome.is_done() || stopping_ ? std::string{} : outcome.message;
}

asio::awaitable<Outcome> Master::carry_out(Request request)
{
    using Asked = Request::Command;
    if (request.command == Asked::reload) {
        auto reloading = request.dry_run ? reloader_.plan() : reload();
        co_return co_await std::move(reloading);
    }
    if (request.command == Asked::send)
        co_return send(request.pool, request.slot, std::move(request.message));
    if (request.command == Asked::stop)
        co_return stop(request.fast);
    Outcome outcome;
    const auto pool = find_pool(request.pool, request.slot, outcome);
    if (!pool)
        co_return outcome;
    if (request.command == Asked::restart)
        outcome = co_await pool->restart(request.slot);
    if (request.command == Asked::drain)
        outcome = co_await pool->drain(request.slot);
    if (request.command == Asked::scale)
        outcome = co_await pool->scale(std::move(request.workers));
    co_return outcome;
}

Outcome Master::send(const std::string& pool, unsigned slot, std::string message)
{
    // Without a name all are meant, but slots are those of one pool.
    Outcome refusal;
    auto pools = pools_.all();
    if (!pool.empty() || slot != 0)
        pools = {find_pool(pool, slot, refusal)};
    if (!refusal.is_done())
        return refusal;

    const auto shared = std::make_shared<const ProgramMessage>(std::move(message));
    Broadcast broadcast;
    bool takes_messages = false;
    for (const auto& each : pools) {
        if (!each->intake().takes_messages())
            continue;
        takes_messages = true;
        each->send_message(slot, shared, broadcast);
    }
    if (!takes_messages)
        return Outcome::failure(
            (pool.empty() ? "no pool takes" : fmt::format("pool \"{}\" takes no", pool)) +
            " messages, only those of dialect node do");
    return {.kind = broadcast.is_complete() ? Outcome::Kind::done : Outcome::Kind::failed,
            .message = broadcast.text()};
}

Outcome Master::stop(bool fast)
{
    const bool again = std::exchange(stopping_, true);
    watchers_.close();
    awaits_change_.reset();
    reloader_.stop();
    if (fast) {
        events_.publish(EventKind::stopping, log::Level::info, "stopping now");
        stop_pools();
        pools_.hurry();
    } else if (again) {
        return {.kind = Outcome::Kind::done, .message = "stopping already"};
    } else if (config_.lame_duck.count() > 0) {
        events_.publish(
            EventKind::stopping, log::Level::info,
            fmt::format("no longer ready, and accepting for another {} (again to stop now)",
                        format_duration(config_.lame_duck)));
        lame_duck_timer_.expires_after(config_.lame_duck);
        lame_duck_timer_.async_wait([this](const boost::system::error_code& cancelled) {
            if (!cancelled)
                stop_pools();
        });
    } else {
        stop_pools();
    }
    return {.kind = Outcome::Kind::done, .message = "stopping"};
}

void Master::stop_pools()
{
    lame_duck_timer_.cancel();
    events_.publish(EventKind::stopping, log::Level::info,
                    "accepting nothing more, draining the workers (again to stop now)");
    pools_.stop();
}

MasterSnapshot Master::snapshot() const
{
    return take_snapshot(pools_.all(), bus_, outputs_, reloader_, stopping_, started_);
}

} // namespace usher
