// SPDX-License-Identifier: MIT
#include "balancer/reloader.hpp"

#include "balancer/config/config_error.hpp"
#include "balancer/dispatch/listening_socket.hpp"
#include "balancer/options.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <utility>

namespace asio = boost::asio;

namespace usher {

Reloader::Reloader(const asio::any_io_executor& executor, std::function<Config()> read,
                   const std::vector<std::unique_ptr<Pool>>& pools, EventBus& events)
    : read_{std::move(read)}, pools_{pools}, events_{events}, finished_{executor}
{
}

void Reloader::publish(EventKind kind, log::Level level, std::string text)
{
    events_.publish({.kind = kind, .level = level, .message = std::move(text)});
}

asio::awaitable<Reply> Reloader::reload()
{
    const auto mine = ++requested_;
    while (served_ < mine) {
        if (running_) {
            co_await finished_.wait();
            continue;
        }
        running_ = true;
        const auto serves = requested_;
        last_ = co_await run();
        served_ = serves;
        running_ = false;
        finished_.notify_all();
    }
    co_return last_;
}

std::vector<Reloader::Change> Reloader::prepare() const
{
    auto next = read_();
    if (next.pools.size() != pools_.size())
        throw std::runtime_error{"pools cannot be added or removed by a reload; restart usher"};

    std::vector<Change> changes;
    for (auto& config : next.pools) {
        const auto pool = std::ranges::find_if(
            pools_, [&](const auto& p) { return p->config().name == config.name; });
        if (pool == pools_.end())
            throw std::runtime_error{
                fmt::format("pool \"{}\" is new; pools cannot be added by a reload; restart usher",
                            config.name)};
        auto resolved = Pool::with_worker_count(std::move(config));
        auto listeners = (*pool)->listeners().prepare(*resolved);
        changes.push_back({.pool = pool->get(),
                           .config = std::move(resolved),
                           .listeners = std::move(listeners)});
    }
    return changes;
}

Reply Reloader::plan() const
{
    try {
        std::string text;
        for (const auto& change : prepare())
            text += (text.empty() ? "" : "\n") + change.pool->plan(*change.config);
        return {.code = ExitCode::done, .message = std::move(text)};
    } catch (const std::exception& e) {
        return {.code = ExitCode::bad_config, .message = e.what()};
    }
}

asio::awaitable<Reply> Reloader::apply(std::vector<Change> changes)
{
    Reply reply{.code = ExitCode::done, .message = "reloaded"};
    for (auto& change : changes) {
        const auto outcome =
            co_await change.pool->reload(std::move(change.config), std::move(change.listeners));
        if (outcome.is_done())
            continue;
        // One bad pool must not keep the others from what is meant for them.
        const bool rolled_back = outcome.kind == Outcome::Kind::rolled_back;
        reply.code = rolled_back ? ExitCode::rolled_back : ExitCode::failed;
        reply.message = fmt::format("pool \"{}\" {}: {}", change.pool->config().name,
                                    rolled_back ? "was rolled back" : "keeps its old generation",
                                    outcome.reason);
    }
    co_return reply;
}

asio::awaitable<Reply> Reloader::run()
{
    publish(EventKind::reload_started, log::Level::info, "reload started");
    Reply reply;
    std::vector<Change> changes;
    try {
        changes = prepare();
    } catch (const std::exception& e) {
        reply = {.code = ExitCode::bad_config, .message = e.what()};
    }
    if (reply.code == ExitCode::done)
        reply = co_await apply(std::move(changes));

    switch (reply.code) {
    case ExitCode::done:
        publish(EventKind::reload_done, log::Level::info, "reload done");
        break;
    case ExitCode::rolled_back:
        publish(EventKind::rolled_back, log::Level::error, "reload rolled back: " + reply.message);
        break;
    default:
        publish(EventKind::reload_failed, log::Level::error,
                "reload failed, nothing has changed: " + reply.message);
        break;
    }
    co_return reply;
}

} // namespace usher
