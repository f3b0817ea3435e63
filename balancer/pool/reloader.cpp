// SPDX-License-Identifier: MIT
#include "balancer/pool/reloader.hpp"

#include "common/sys/socket/accept.hpp"
#include "common/text/counted.hpp"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

constexpr auto stopping_text = "usher is stopping";

std::string plan_of_new(const ResolvedPool& pool)
{
    auto text = fmt::format("pool \"{}\": is new, {}", pool.name, counted(pool.workers, "worker"));
    for (const auto& listen : pool.listen)
        text += ", opens " + listen.address;
    return text;
}

} // namespace

Reloader::Reloader(const asio::any_io_executor& executor, std::function<ResolvedConfig()> read,
                   PoolSet& pools, BusSet& buses, EventBus& events,
                   std::function<void(const ResolvedConfig&)> adopt)
    : read_{std::move(read)},
      pools_{pools},
      buses_{buses},
      events_{events},
      adopt_{std::move(adopt)},
      looks_{executor}
{
}

asio::awaitable<Outcome> Reloader::reload()
{
    const auto mine = ++requested_;
    while (served_ < mine) {
        if (running_ || is_opening_) {
            co_await finished_.wait();
            continue;
        }
        running_ = true;
        const auto serves = requested_;
        const auto began = std::chrono::steady_clock::now();
        auto outcome = co_await run();
        last_ = {.ended = std::chrono::system_clock::now(),
                 .duration = std::chrono::duration_cast<std::chrono::milliseconds>(
                     std::chrono::steady_clock::now() - began),
                 .outcome = std::move(outcome)};
        served_ = serves;
        running_ = false;
        finished_.notify_all();
    }
    co_return last_->outcome;
}

Reloader::Change Reloader::prepare(ResolvedPool next, bool labelled, SocketSource& sockets,
                                   ListenPlaces& places) const
{
    Change change{.pool = pools_.find(next.name), .labelled = labelled};
    if (!change.pool || change.pool->has_ended())
        change.pool = pools_.make(std::move(next), labelled);
    else
        change.config = std::make_shared<const ResolvedPool>(std::move(next));
    change.listeners = places.prepare(
        *change.pool, change.config ? *change.config : change.pool->config(), sockets);
    return change;
}

template <typename Look>
asio::awaitable<std::invoke_result_t<Look&>> Reloader::look(Look look)
{
    if (looks_.is_full())
        throw std::runtime_error{
            fmt::format("{} reloads before still wait for a disk, a FIFO or a directory service "
                        "that does not answer, so that no further one is begun",
                        TimedLooks::most_hanging)};
    auto found = co_await looks_.look(std::move(look));
    if (is_stopping())
        throw std::runtime_error{stopping_text};
    if (!found)
        throw std::runtime_error{fmt::format(
            "the configuration was not read within {} s, or a Unix socket's folder, a name or an "
            "account in it not found: a disk, a FIFO or a directory service does not answer",
            TimedLooks::patience.count())};
    co_return std::move(*found);
}

asio::awaitable<Reloader::Found> Reloader::find()
{
    auto read = [read_config = read_] {
        auto config = read_config();
        HostAddresses hosts{config};
        return Found{.config = std::move(config), .hosts = std::move(hosts)};
    };
    co_return co_await look(std::move(read));
}

asio::awaitable<void> Reloader::open_files(const std::vector<ResolvedPool>& pools,
                                           SocketSource& sockets)
{
    // Meanwhile a pool may end, and its listeners with it.
    for (;;) {
        auto wanted = ListenPlaces{pools_.all()}.find_wanted(pools, sockets.opened);
        if (wanted.empty())
            co_return;
        auto open = [wanted = std::move(wanted), opened = std::move(sockets.opened)]() mutable {
            opened.open(wanted);
            return std::move(opened);
        };
        sockets.opened = co_await look(std::move(open));
    }
}

asio::awaitable<Reloader::Plan> Reloader::prepare(Found found, Purpose purpose)
{
    Plan plan{.config = std::move(found.config), .sockets = {.hosts = std::move(found.hosts)}};
    const auto& pools = plan.config.pools;
    if (auto wanted = buses_.find_wanted(pools); !wanted.empty()) {
        auto open = [wanted = std::move(wanted), purpose] {
            if (purpose == Purpose::reload)
                return BusSet::open_files(wanted);
            BusSet::check_files(wanted);
            return BusSet::Files{};
        };
        plan.files = co_await look(std::move(open));
    }
    co_await open_files(pools, plan.sockets);
    ListenPlaces taken{pools_.all()};
    for (const auto& pool : pools)
        plan.changes.push_back(prepare(pool, pools.size() > 1, plan.sockets, taken));
    for (const auto& pool : pools_.all()) {
        const bool stays = std::ranges::any_of(
            pools, [&](const auto& config) { return config.name == pool->config().name; });
        if (!stays && !pool->is_stopping())
            plan.removed.push_back(pool);
    }
    plan.notes = plan.sockets.opened.notes();
    plan.sockets.opened = {}; // what nobody has taken
    co_return plan;
}

/// Nothing has changed, because of `error`.
Outcome Reloader::refusal(const std::exception& error) const
{
    if (is_stopping())
        return Outcome::failure(stopping_text);
    const auto* const of_system = dynamic_cast<const std::system_error*>(&error);
    const auto code = of_system != nullptr ? of_system->code() : std::error_code{};
    const bool is_scarce = dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
                           sys::is_out_of_resources(code) ||
                           code == std::errc::resource_unavailable_try_again || // no thread
                           code == std::errc::no_space_on_device;               // epoll_ctl(2)
    return {.kind = is_scarce ? Outcome::Kind::failed : Outcome::Kind::bad_config,
            .message = error.what()};
}

asio::awaitable<Outcome> Reloader::plan()
{
    try {
        // What a reload under way has opened already would seem to be somebody else's.
        std::optional<Found> found;
        while (!found || running_ || is_opening_) {
            while (running_ || is_opening_)
                co_await finished_.wait();
            found = co_await find();
        }
        const Turn turn{*this};
        const auto plan = co_await prepare(std::move(*found), Purpose::plan);
        std::string text;
        for (const auto& change : plan.changes)
            text += (text.empty() ? "" : "\n") +
                    (change.config ? change.pool->plan(*change.config, change.listeners)
                                   : plan_of_new(change.pool->config()));
        for (const auto& pool : plan.removed)
            text += fmt::format("\npool \"{}\": is removed, draining {}", pool->config().name,
                                counted(pool->slots().size(), "worker"));
        co_return Outcome{.message = std::move(text)};
    } catch (const std::exception& e) {
        co_return refusal(e);
    }
}

asio::awaitable<void> Reloader::mend_listeners()
{
    if (running_ || is_opening_ || is_stopping())
        co_return;
    std::set<std::string> troubles;
    try {
        // A disk that does not answer keeps no reload waiting that has nothing to do with it.
        const bool has_lost = co_await has_lost_files();
        if (has_lost && (running_ || is_opening_))
            co_return;
        if (has_lost) {
            const Turn turn{*this};
            troubles = co_await open_lost_files();
        }
    } catch (const std::exception& e) {
        troubles.emplace(e.what());
    }
    if (is_stopping() || pools_.is_over())
        co_return;
    for (const auto& trouble : troubles) // of which nobody need hear again and again
        if (!troubles_.contains(trouble))
            events_.publish(EventKind::note, log::Level::warning, trouble);
    troubles_ = std::move(troubles);
}

asio::awaitable<bool> Reloader::has_lost_files()
{
    std::vector<SocketFile> files;
    for (const auto& pool : pools_.all())
        for (auto& file : pool->intake().files())
            files.push_back(std::move(file));
    if (files.empty())
        co_return false;
    auto look_at = [files = std::move(files)] {
        return std::ranges::any_of(files, &SocketFile::is_lost);
    };
    co_return co_await look(std::move(look_at));
}

/// Returns what is in the way of it.
asio::awaitable<std::set<std::string>> Reloader::open_lost_files()
{
    std::vector<ResolvedPool> pools;
    for (const auto& pool : pools_.all())
        if (!pool->is_stopping() && !pool->has_ended() && !pool->intake().files().empty())
            pools.push_back(pool->config());
    auto open = [wanted = ListenPlaces{pools_.all()}.find_held(pools)] {
        UnixListeners opened;
        opened.open_lost(wanted);
        return opened;
    };
    SocketSource sockets;
    sockets.opened = co_await look(std::move(open));
    if (sockets.opened.is_empty())
        co_return std::set<std::string>{};
    const auto notes = sockets.opened.notes();
    std::set<std::string> troubles(notes.begin(), notes.end());
    ListenPlaces places{pools_.all()};
    for (const auto& config : pools) {
        const auto pool = pools_.find(config.name);
        if (!pool || pool->has_ended() || pool->is_stopping()) // meanwhile
            continue;
        const auto addresses = pool->intake().addresses();
        if (std::ranges::none_of(
                addresses, [&](const auto& address) { return sockets.opened.replaces(address); }))
            continue;
        try {
            const auto change = places.prepare(*pool, pool->config(), sockets);
            change.commit();
            events_.publish(EventKind::note, log::Level::warning,
                            fmt::format("pool \"{}\": somebody has removed the file of a Unix "
                                        "socket, which was opened anew: {}",
                                        config.name, fmt::join(change.opens, ", ")));
        } catch (const std::exception& e) {
            troubles.emplace(fmt::format("pool \"{}\": somebody has removed the file of a Unix "
                                         "socket, which cannot be opened anew yet: {}",
                                         config.name, e.what()));
        }
    }
    co_return troubles;
}

asio::awaitable<Outcome> Reloader::apply(Change change, SocketSource& sockets)
{
    if (is_stopping()) // since the pool before this one
        co_return Outcome::failure(stopping_text);
    if (change.config && change.pool->has_ended()) { // it gave up while others were reloaded
        change.listeners = {};
        try {
            sockets.opened = {};
            const std::vector<ResolvedPool> only{*change.config};
            co_await open_files(only, sockets);
            ListenPlaces taken{pools_.all()};
            change = prepare(ResolvedPool{*change.config}, change.labelled, sockets, taken);
        } catch (const std::exception& e) {
            co_return Outcome::failure(e.what());
        }
    }
    if (change.config)
        co_return co_await change.pool->reload(std::move(change.config),
                                               std::move(change.listeners));
    if (!pools_.add(change.pool))
        co_return Outcome::failure(stopping_text);
    change.listeners.commit();
    const auto outcome = co_await change.pool->enter_service();
    if (!outcome.is_done())
        pools_.remove(change.pool);
    co_return outcome;
}

asio::awaitable<Outcome> Reloader::apply(Plan plan)
{
    for (const auto& note : plan.notes)
        events_.publish(EventKind::note, log::Level::warning, note);
    buses_.adopt(plan.config.pools, plan.files);
    Outcome result{.message = "reloaded"};
    for (auto& change : plan.changes) {
        const auto name = change.pool->config().name;
        const bool is_new = change.config == nullptr;
        const auto outcome = co_await apply(std::move(change), plan.sockets);
        if (outcome.is_done())
            continue;
        if (is_new)
            buses_.forget(name);
        // One bad pool must not keep the others from what is meant for them.
        const bool rolled_back = outcome.kind == Outcome::Kind::rolled_back;
        if (result.is_done())
            result.message.clear();
        // A roll-back is worth more to be known than that another pool stayed as it was.
        if (result.kind != Outcome::Kind::rolled_back)
            result.kind = outcome.kind;
        result.is_partly_done |= outcome.is_partly_done;
        result.message += (result.message.empty() ? "" : "; ") +
                          fmt::format("pool \"{}\" {}: {}", name,
                                      is_new        ? "is not added"
                                      : rolled_back ? "was rolled back"
                                                    : "keeps its old generation",
                                      outcome.message);
    }
    if (is_stopping() && result.is_done() && !plan.removed.empty())
        result = Outcome::failure(stopping_text); // they go with the rest
    for (const auto& pool : plan.removed) {
        if (is_stopping())
            break;
        events_.publish(EventKind::note, log::Level::info,
                        fmt::format("pool \"{}\" is removed", pool->config().name));
        pools_.remove(pool);
    }
    if (result.is_done())
        adopt_(plan.config);
    co_return result;
}

asio::awaitable<Outcome> Reloader::run()
{
    const PoolSet::Operation operation{pools_};
    events_.publish(EventKind::reload_started, log::Level::info, "reload started");
    Outcome result;
    std::optional<Plan> plan;
    try {
        auto found = co_await find();
        plan = co_await prepare(std::move(found), Purpose::reload);
    } catch (const std::exception& e) {
        result = refusal(e);
    }
    // Where there are several pools, one that fails keeps no other from what is new.
    const bool several = plan && plan->changes.size() + plan->removed.size() > 1;
    if (plan) {
        try {
            result = co_await apply(std::move(*plan));
        } catch (const std::exception& e) { // the kernel has no more to give
            result = Outcome::failure(std::string{"broken off: "} + e.what());
            result.is_partly_done = true;
        }
    }

    if (result.is_done())
        events_.publish(EventKind::reload_done, log::Level::info, "reload done");
    else if (result.kind == Outcome::Kind::rolled_back)
        events_.publish(EventKind::rolled_back, log::Level::error,
                        "reload rolled back: " + result.message);
    else
        events_.publish(EventKind::reload_failed, log::Level::error,
                        (several || result.is_partly_done
                             ? "reload failed in part: "
                             : "reload failed, nothing has changed: ") +
                            result.message);
    co_return result;
}

} // namespace usher
