// SPDX-License-Identifier: MIT
#include "balancer/dialect/dispatch_intake.hpp"

#include "balancer/dialect/native/native_link.hpp"
#include "balancer/dialect/preload/preload_link.hpp"
#include "balancer/dialect/stop_listener.hpp"
#include "balancer/listen/same_address.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "common/text/counted.hpp"
#include "common/text/listen_address.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <iterator>
#include <new>
#include <stdexcept>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

void require_same_v6only(const ListenConfig& now, const ListenConfig& next)
{
    if (now.v6only != next.v6only)
        throw std::runtime_error{next.address + ": v6only cannot change while the listener is "
                                                "open; restart usher"};
}

/// Of what is to be opened: with port 0 it will be another the next time.
std::string name_for_plan(const ListenConfig& config, const sys::SocketAddress& address)
{
    const auto where = parse_listen_address(config.address);
    const bool is_any_port = !is_exclusive(where);
    return is_any_port ? config.address : address.to_string();
}

} // namespace

DispatchIntake::DispatchIntake(const asio::any_io_executor& executor, std::string pool,
                               EventBus& events)
    : executor_{executor},
      pool_{std::move(pool)},
      events_{events, {.pool = pool_}},
      dispatcher_{executor, *this}
{
}

/// The sockets for `next`; those that are open already without a descriptor.
OpenedSockets DispatchIntake::open(const ResolvedPool& next, SocketSource& sockets) const
{
    OpenedSockets opened;
    std::vector<const Open*> free;
    for (const auto& open : open_)
        if (!sockets.opened.replaces(open.address))
            free.push_back(&open);
    for (const auto& config : next.listen) {
        opened.entries.push_back({.config = config});
        const auto found = std::ranges::find_if(free, [&](const Open* open) {
            return mean_the_same(open->config.address, config.address);
        });
        if (found == free.end())
            continue;
        require_same_v6only((*found)->config, config);
        // No further entry: the same address may stand there twice, with port 0.
        std::erase_if(free, [&, entry = (*found)->entry](const Open* open) {
            if (open->entry == entry)
                opened.entries.back().sockets.push_back(
                    {.fd = {}, .address = open->address, .file = {}});
            return open->entry == entry;
        });
    }

    // What is written otherwise may be a socket that is open all the same.
    std::vector<sys::SocketAddress> held;
    for (const auto* const open : free)
        held.push_back(open->address);
    for (auto& entry : opened.entries) {
        if (!entry.sockets.empty())
            continue;
        opened.open(entry, next.backlog, sockets, SocketUse::listen, held);
        for (const auto& socket : entry.sockets) {
            const auto same = [&](const auto& other) { return is_same(other, socket.address); };
            if (!socket.fd && socket.address.family() == AF_INET6)
                require_same_v6only(std::ranges::find_if(open_, same, &Open::address)->config,
                                    entry.config);
            std::erase_if(held, same);
        }
    }
    return opened;
}

ListenerChange DispatchIntake::prepare(const ResolvedPool& next, SocketSource& sockets)
{
    ListenerChange change;
    if (next.listen.empty()) { // what its programs asked for stays
        change.addresses = addresses();
        change.commit = [] {};
        return change;
    }
    auto opened = open(next, sockets);
    const auto wanted = std::make_shared<std::vector<Open>>();
    const auto is_taken = [&](const Open& open) {
        return std::ranges::find(*wanted, open.listener, &Open::listener) != wanted->end();
    };
    Listener::Observer& observer = *this;
    for (std::size_t entry = 0; entry < opened.entries.size(); ++entry) {
        const auto& config = opened.entries[entry].config;
        for (auto& socket : opened.entries[entry].sockets) {
            std::shared_ptr<Listener> listener;
            if (socket.fd) {
                change.opens.push_back(name_for_plan(config, socket.address));
                listener = std::make_shared<Listener>(executor_, std::move(socket.fd), 0,
                                                      dispatcher_, observer);
            } else {
                listener = std::ranges::find_if(open_, [&](const Open& open) {
                               return is_same(open.address, socket.address) && !is_taken(open);
                           })->listener;
            }
            wanted->push_back({.config = config,
                               .entry = entry,
                               .address = socket.address,
                               .listener = std::move(listener),
                               .file = std::move(socket.file)});
        }
    }
    for (const auto& open : open_) {
        const auto same = std::ranges::find_if(
            *wanted, [&](const Open& other) { return is_same(other.address, open.address); });
        if (same == wanted->end()) {
            if (const auto name = open.address.to_string();
                std::ranges::find(change.closes, name) == change.closes.end())
                change.closes.push_back(name);
        }
        // Several may have one address (systemd's ReusePort=), each with clients of its own.
        else if (!is_taken(open) && !sockets.opened.replaces(open.address))
            wanted->insert(std::next(same), {.config = same->config,
                                             .entry = same->entry,
                                             .address = open.address,
                                             .listener = open.listener,
                                             .file = {}});
    }
    for (const auto& open : *wanted)
        change.addresses.push_back(open.address);

    // Their program has each of its listening sockets from its start to its end; what stands behind
    // one may be opened anew.
    const bool is_preload = next.dialect == Dialect::preload ||
                            (next.dialect == Dialect::automatic && found_ == Dialect::preload);
    const bool opens_more = std::ranges::any_of(*wanted, [&](const Open& open) {
        return std::ranges::none_of(
            open_, [&](const Open& old) { return is_same(old.address, open.address); });
    });
    if (is_preload && !open_.empty() && (opens_more || !change.closes.empty()))
        throw std::runtime_error{"the listeners of pool \"" + pool_ +
                                 "\" cannot change while usher runs, because its dialect is "
                                 "preload; restart usher"};
    closing_.reserve(closing_.size() + open_.size());
    change.commit = [this, wanted, backlog = next.backlog] { commit(*wanted, backlog); };
    return change;
}

void DispatchIntake::commit(std::vector<Open>& next, unsigned backlog) noexcept
{
    std::swap(open_, next);
    for (std::size_t i = 0; i < open_.size(); ++i) {
        auto& open = open_[i];
        const auto before = std::ranges::find(next, open.listener, &Open::listener);
        const bool is_new = before == next.end();
        if (!is_new) {
            open.file = std::move(before->file);
            next.erase(before);
        }
        open.listener->set_index(static_cast<std::uint16_t>(i));
        open.listener->set_backlog(backlog);
        if (!is_new)
            open.file.set_rights_elsewhere(
                {.mode = open.config.mode, .owner = open.config.file_owner});
        // Its clients can be other users; of what was inherited nobody knows.
        if (open.address.family() == AF_UNIX &&
            (!open.file || open.config.file_owner || (open.config.mode.value_or(0U) & 0022U) != 0))
            dispatcher_.distrust(Strangers::unix_clients);
        if (is_new)
            say(EventKind::listening, "listening on", open);
        if (is_new && started_)
            open.listener->start();
    }
    for (const auto& old : next) // unless that was opened anew, whose file was gone
        if (std::ranges::none_of(
                open_, [&](const auto& open) { return is_same(open.address, old.address); }))
            say(EventKind::closed, "no longer listening on", old);
    close(std::move(next));
}

void DispatchIntake::say(EventKind kind, std::string_view what, const Open& open) noexcept
try {
    events_.publish(kind, log::Level::info, fmt::format("{} {}", what, open.address.to_string()));
} catch (const std::bad_alloc&) { // then nobody hears of it
}

void DispatchIntake::start()
{
    started_ = true;
    for (const auto& open : open_)
        open.listener->start();
}

void DispatchIntake::close(std::vector<Open> closing)
{
    for (const auto& open : closing)
        closing_.push_back(open.listener);
    for (auto& open : closing)
        stop_listener(executor_, std::move(open.file), open.listener);
}

void DispatchIntake::close(std::function<void()> on_closed)
{
    auto closing = std::exchange(open_, {});
    stopped_ = true;
    if (on_closed) {
        on_closed_ = std::move(on_closed);
        close(std::move(closing));
    } else {
        for (const auto& open : closing) {
            closing_.push_back(open.listener);
            open.file.remove_elsewhere(); // a look that hangs may have a copy
        }
        for (const auto& listener : std::vector{closing_}) {
            listener->stop();
            listener->close();
        }
    }
    look_for_end();
}

void DispatchIntake::on_closed(const Listener& listener)
{
    std::erase_if(closing_, [&](const auto& closing) { return closing.get() == &listener; });
    look_for_end();
}

void DispatchIntake::look_for_end()
{
    if (closing_.empty() && open_.empty() && on_closed_)
        std::exchange(on_closed_, nullptr)();
}

std::shared_ptr<WorkerLink> DispatchIntake::connect(std::shared_ptr<const ResolvedPool> config,
                                                    const WorkerIdentity& identity)
{
    if (config->account.is_other_user())
        dispatcher_.distrust(Strangers::workers);
    PreloadHost& host = *this;
    if (config->dialect != Dialect::native)
        return std::make_shared<PreloadLink>(executor_, std::move(config), identity, dispatcher_,
                                             host);
    return std::make_shared<NativeLink>(executor_, identity, dispatcher_,
                                        std::make_unique<HandoffChannel>(config->max_queue));
}

std::vector<ListeningSocket> DispatchIntake::release()
{
    stopped_ = true;
    std::vector<ListeningSocket> result;
    for (auto& open : std::exchange(open_, {}))
        result.push_back({.fd = open.listener->release(),
                          .address = open.address,
                          .file = std::move(open.file)});
    return result;
}

PreloadHost::Place DispatchIntake::place_for(const sys::SocketAddress& wanted, bool v6only,
                                             bool tries, const ResolvedPool& config)
{
    if (stopped_)
        return {.error = ECONNABORTED, .reason = "usher is stopping", .address = {}};
    constexpr int first_free_port = 1'024; // those below are root's
    if (config.account.is_other_user() && wanted.port() > 0 && wanted.port() < first_free_port)
        return {.error = EACCES,
                .reason = fmt::format("it runs as user {}, who may not do that without usher",
                                      quote(config.run_as.user)),
                .address = {}};
    const auto is_same_port = [&](const Open& open) {
        return wanted.port() != 0 && open.address.port() == wanted.port();
    };
    if (!open_.empty() && std::ranges::none_of(open_, is_same_port))
        return {.address = open_.front().address}; // its first is the pool's
    const bool is_open =
        std::ranges::any_of(open_, [&](const Open& open) { return is_same(open.address, wanted); });
    constexpr std::size_t most = 16; // addresses of one port
    if (is_open || (tries && !open_.empty()) || open_.size() >= most)
        return {.address = wanted};
    // An IPv6 socket that takes IPv4 clients as well is in the way of one of IPv4 on its port, and
    // the other way round.
    return open_for_program(wanted, v6only || !open_.empty(), tries, config.backlog);
}

PreloadHost::Place DispatchIntake::open_for_program(const sys::SocketAddress& wanted, bool v6only,
                                                    bool tries, unsigned backlog)
{
    try {
        sys::BindOptions options{.reuse_address = true, .v6only = v6only};
        if (!tries)
            options.backlog = backlog;
        sys::UniqueFd fd;
        auto error = sys::open_bound_socket(wanted, options, fd);
        const auto ip = wanted.ip_bytes();
        const bool is_any = std::ranges::all_of(ip, [](auto byte) { return byte == 0; });
        if (error == std::errc::address_family_not_supported && is_any && !v6only) {
            constexpr std::array<std::uint8_t, 4> any{}; // there is no IPv6 here
            error =
                sys::open_bound_socket(sys::SocketAddress::ipv4(any, wanted.port()), options, fd);
        }
        if (error == std::errc::address_in_use && !open_.empty())
            return {.address = wanted}; // by one of ours for all addresses
        sys::SocketAddress address;
        if (!error)
            error = sys::read_bound_address(fd.get(), address);
        if (error)
            return {.error = error.value(), .reason = error.message(), .address = {}};
        if (tries)
            return {.address = wanted};
        Listener::Observer& observer = *this;
        const auto index = static_cast<std::uint16_t>(open_.size());
        Open open{.config = {.address = address.to_string(), .v6only = v6only},
                  .entry = index,
                  .address = address,
                  .listener = std::make_shared<Listener>(executor_, std::move(fd), index,
                                                         dispatcher_, observer),
                  .file = {}};
        open_.push_back(open);
        say(EventKind::listening, "listening on", open);
        if (started_)
            open.listener->start();
        return {.address = address};
    } catch (const std::exception& e) { // no memory, or no room in an epoll
        return {.error = ENOBUFS, .reason = e.what(), .address = {}};
    }
}

void DispatchIntake::on_found(Dialect dialect, const std::string& how)
{
    if (std::exchange(found_, dialect) != dialect)
        events_.publish(EventKind::note, log::Level::info,
                        fmt::format("dialect {}: {}", name_of(dialect), how));
}

bool DispatchIntake::replaces_primary(const ResolvedPool& config, unsigned generation)
{
    // Its listeners go where these workers are started anew: whoever serves would get nothing more,
    // also if the new ones fail, and what they have been given could go to nobody.
    const bool is_first = generation == 1 || !dispatcher_.has_workers();
    if (!on_node_primary_ || !is_first || dispatcher_.counters().handed_off > 0)
        return false;
    on_found(Dialect::node, "the program forks workers of Node's cluster, so it is started anew "
                            "with usher as its primary");
    on_node_primary_(config);
    return true;
}

std::vector<sys::SocketAddress> DispatchIntake::addresses() const
{
    std::vector<sys::SocketAddress> result;
    for (const auto& open : open_)
        result.push_back(open.address);
    return result;
}

std::vector<Listening> DispatchIntake::listening() const
{
    std::vector<Listening> result;
    for (const auto& open : open_)
        result.push_back({.name = open.address.to_string(), .waiting = open.listener->waiting()});
    return result;
}

std::vector<SocketFile> DispatchIntake::files() const
{
    std::vector<SocketFile> result;
    for (const auto& open : open_)
        if (open.file)
            result.push_back(open.file);
    return result;
}

void DispatchIntake::on_accept_failure(const Listener& listener, std::error_code error,
                                       std::chrono::milliseconds pause) noexcept
try {
    for (const auto& open : open_)
        if (open.listener.get() == &listener)
            events_.publish(
                EventKind::accept_failed, log::Level::warning,
                fmt::format("{}: cannot accept: {}; clients wait in the backlog, next try in {} ms",
                            open.address.to_string(), error.message(), pause.count()));
} catch (const std::bad_alloc&) { // then nobody hears of it
}

void DispatchIntake::on_reclaimed(std::string_view worker, std::size_t reclaimed,
                                  std::size_t closed) noexcept
try {
    if (reclaimed > 0)
        events_.publish(EventKind::reclaimed, log::Level::info,
                        fmt::format("{}: {} it had not taken went to others", worker,
                                    counted(reclaimed, "connection")));
    if (closed > 0)
        events_.publish(EventKind::reclaimed, log::Level::warning,
                        fmt::format("{}: {} closed, which {} workers had not taken when they ended",
                                    worker, counted(closed, "connection"),
                                    ReclaimQueue::most_reclaims));
} catch (const std::bad_alloc&) { // then nobody hears of it
}

} // namespace usher
