// SPDX-License-Identifier: MIT
#include "balancer/dialect/pool_listeners.hpp"

#include "balancer/listen/same_address.hpp"
#include "common/text/listen_address.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

#include <sys/socket.h>

namespace asio = boost::asio;

namespace usher {

namespace {

/// Finds the entry for the same address, however it is written.
template <typename Range>
auto find_address(Range& range, const std::string& address)
{
    return std::ranges::find_if(
        range, [&](const auto& entry) { return mean_the_same(entry.config.address, address); });
}

void require_same_v6only(const ListenConfig& now, const ListenConfig& next)
{
    if (now.v6only != next.v6only)
        throw std::runtime_error{next.address + ": v6only cannot change while the listener is "
                                                "open; restart usher"};
}

} // namespace

PoolListeners::PoolListeners(asio::any_io_executor executor, std::string pool,
                             Dispatcher& dispatcher, EventBus& events)
    : executor_{std::move(executor)},
      pool_{std::move(pool)},
      dispatcher_{dispatcher},
      events_{events, {.pool = pool_}}
{
}

ListenerChange PoolListeners::prepare(const PoolConfig& next, SocketSource& sockets) const
{
    ListenerChange change;
    std::vector<const Group*> free; // the same address may stand there twice, with port 0
    for (const auto& group : groups_)
        free.push_back(&group);
    std::vector<const ListenConfig*> missing;
    for (const auto& config : next.listen) {
        const auto found = std::ranges::find_if(free, [&](const Group* group) {
            return mean_the_same(group->config.address, config.address);
        });
        if (found == free.end()) {
            missing.push_back(&config);
            continue;
        }
        require_same_v6only((*found)->config, config);
        free.erase(found);
    }

    // What is written otherwise may be a socket that is open all the same.
    std::vector<sys::SocketAddress> held;
    for (const auto* const group : free)
        for (const auto& open : group->open)
            held.push_back(open.address);
    bool opens = false;
    for (const auto* const config : missing)
        for (const auto& socket :
             change.open(*config, next.backlog, sockets, SocketUse::listen, held)) {
            opens = opens || socket.fd;
            if (socket.fd)
                continue;
            if (socket.address.family() == AF_INET6)
                require_same_v6only(owner_of(socket.address).config, *config);
            std::erase_if(held, [&](const auto& other) { return is_same(other, socket.address); });
        }

    // Their program has each of its listening sockets from its start to its end.
    if (next.dialect == Dialect::preload && !groups_.empty() && (opens || !held.empty()))
        throw std::runtime_error{"the listeners of pool \"" + pool_ +
                                 "\" cannot change while usher runs, because its dialect is "
                                 "preload; restart usher"};
    return change;
}

const PoolListeners::Group& PoolListeners::owner_of(const sys::SocketAddress& address) const
{
    return *std::ranges::find_if(groups_, [&](const Group& group) {
        return std::ranges::any_of(
            group.open, [&](const Open& open) { return is_same(open.address, address); });
    });
}

PoolListeners::Open PoolListeners::make_open(ListeningSocket socket)
{
    Listener::Observer& observer = *this;
    auto name = socket.address.to_string();
    events_.publish(EventKind::listening, log::Level::info, "listening on " + name);
    Open open{.name = std::move(name),
              .address = socket.address,
              .file = std::move(socket.file),
              .listener = std::make_shared<Listener>(executor_, std::move(socket.fd),
                                                     std::uint16_t{0}, dispatcher_, observer)};
    if (started_)
        open.listener->start();
    return open;
}

/// The sockets for `config`, whether they are open or were prepared.
PoolListeners::Group PoolListeners::take(const ListenConfig& config, std::vector<Group>& old,
                                         ListenerChange& change)
{
    Group group{.config = config, .open = {}};
    if (const auto kept = find_address(old, config.address); kept != old.end()) {
        group.open = std::move(kept->open);
        old.erase(kept);
        return group;
    }
    const auto added = find_address(change.added, config.address);
    for (auto& socket : added->sockets) {
        if (socket.fd) {
            group.open.push_back(make_open(std::move(socket)));
            continue;
        }
        for (auto& other : old)
            if (const auto found = std::ranges::find_if(
                    other.open,
                    [&](const Open& open) { return is_same(open.address, socket.address); });
                found != other.open.end()) {
                group.open.push_back(std::move(*found));
                other.open.erase(found);
            }
    }
    change.added.erase(added);
    return group;
}

void PoolListeners::commit(const PoolConfig& next, ListenerChange change)
{
    auto old = std::exchange(groups_, {});
    std::uint16_t index = 0;
    for (const auto& config : next.listen) {
        groups_.push_back(take(config, old, change));
        for (auto& open : groups_.back().open) {
            open.listener->set_index(index++);
            open.listener->set_backlog(next.backlog);
            if (config.mode)
                open.file.set_mode(*config.mode);
        }
    }
    for (const auto& group : old)
        for (const auto& open : group.open)
            events_.publish(EventKind::closed, log::Level::info,
                            "no longer listening on " + open.name);
    close(std::move(old));
}

void PoolListeners::start()
{
    started_ = true;
    for (const auto& group : groups_)
        for (const auto& open : group.open)
            open.listener->start();
}

void PoolListeners::close(std::vector<Group> groups)
{
    std::vector<std::shared_ptr<Listener>> closing;
    for (auto& group : groups)
        for (auto& open : group.open) {
            // While it still listens nobody can take the file for one that was left behind.
            open.file = {};
            closing.push_back(open.listener);
        }
    closing_.insert(closing_.end(), closing.begin(), closing.end());
    for (const auto& listener : closing)
        listener->stop();
}

void PoolListeners::close(std::function<void()> on_closed)
{
    const bool at_once = !on_closed;
    if (!at_once)
        on_closed_ = std::move(on_closed);
    close(std::exchange(groups_, {}));
    if (at_once)
        for (const auto& listener : std::vector{closing_})
            listener->close();
    if (closing_.empty() && on_closed_)
        std::exchange(on_closed_, nullptr)();
}

void PoolListeners::on_closed(const Listener& listener)
{
    std::erase_if(closing_, [&](const auto& closing) { return closing.get() == &listener; });
    if (closing_.empty() && groups_.empty() && on_closed_)
        std::exchange(on_closed_, nullptr)();
}

std::vector<std::string> PoolListeners::names() const
{
    std::vector<std::string> result;
    for (const auto& group : groups_)
        for (const auto& open : group.open)
            result.push_back(open.name);
    return result;
}

std::vector<sys::SocketAddress> PoolListeners::addresses() const
{
    std::vector<sys::SocketAddress> result;
    for (const auto& group : groups_)
        for (const auto& open : group.open)
            result.push_back(open.address);
    return result;
}

void PoolListeners::on_accept_failure(const Listener& listener, std::error_code error,
                                      std::chrono::milliseconds pause) noexcept
try {
    for (const auto& group : groups_)
        for (const auto& open : group.open)
            if (open.listener.get() == &listener)
                events_.publish(
                    EventKind::accept_failed, log::Level::warning,
                    fmt::format("{}: cannot accept: {}; clients wait in the backlog, next try "
                                "in {} ms",
                                open.name, error.message(), pause.count()));
} catch (const std::bad_alloc&) { // then nobody hears of it
}

} // namespace usher
