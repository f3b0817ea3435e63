// SPDX-License-Identifier: MIT
#include "balancer/dialect/pool_listeners.hpp"

#include "balancer/config/units/listen_address.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

#include <sys/stat.h>

namespace asio = boost::asio;

namespace usher {

namespace {

/// Finds the entry for the same address.
template <typename Range>
auto find_address(Range& range, const std::string& address)
{
    return std::ranges::find_if(range,
                                [&](const auto& entry) { return entry.config.address == address; });
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
    std::vector<bool> used(groups_.size()); // the same address may stand there twice, with port 0
    for (const auto& config : next.listen) {
        bool is_open = false;
        for (std::size_t i = 0; i < groups_.size() && !is_open; ++i) {
            if (used[i] || groups_[i].config.address != config.address)
                continue;
            if (groups_[i].config.v6only != config.v6only)
                throw std::runtime_error{config.address + ": v6only cannot change while the "
                                                          "listener is open; restart usher"};
            used[i] = is_open = true;
        }
        if (is_open)
            continue;
        change.added.push_back({.config = config, .sockets = sockets.open(config, next.backlog)});
    }
    // Their program has each of its listening sockets from its start to its end.
    const bool changes = !change.added.empty() || std::ranges::find(used, false) != used.end();
    if (next.dialect == Dialect::preload && !groups_.empty() && changes)
        throw std::runtime_error{"the listeners of pool \"" + pool_ +
                                 "\" cannot change while usher runs, because its dialect is "
                                 "preload; restart usher"};
    return change;
}

PoolListeners::Group PoolListeners::make_group(ListenerChange::Added added)
{
    Listener::Observer& observer = *this;
    Group group{.config = std::move(added.config), .open = {}};
    for (auto& socket : added.sockets) {
        auto name = socket.address.to_string();
        events_.publish(EventKind::listening, log::Level::info, "listening on " + name);
        group.open.push_back(
            {.name = std::move(name),
             .address = socket.address,
             .file = std::move(socket.file),
             .listener = std::make_shared<Listener>(executor_, std::move(socket.fd),
                                                    std::uint16_t{0}, dispatcher_, observer)});
    }
    return group;
}

void PoolListeners::commit(const PoolConfig& next, ListenerChange change)
{
    auto old = std::exchange(groups_, {});
    std::uint16_t index = 0;
    for (const auto& config : next.listen) {
        auto kept = find_address(old, config.address);
        if (kept != old.end()) {
            kept->config = config;
            groups_.push_back(std::move(*kept));
            old.erase(kept);
            if (config.mode)
                for (auto& open : groups_.back().open)
                    open.file.set_mode(*config.mode);
        } else {
            const auto added = find_address(change.added, config.address);
            groups_.push_back(make_group(std::move(*added)));
            change.added.erase(added);
            if (started_)
                for (const auto& open : groups_.back().open)
                    open.listener->start();
        }
        for (const auto& open : groups_.back().open) {
            open.listener->set_index(index++);
            open.listener->set_backlog(next.backlog);
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

bool PoolListeners::has(const ListenConfig& config) const
{
    const auto wanted = parse_listen_address(config.address);
    return is_exclusive(wanted) && std::ranges::any_of(groups_, [&](const Group& group) {
               return parse_listen_address(group.config.address) == wanted;
           });
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
