// SPDX-License-Identifier: MIT
#include "balancer/hooks/hooks.hpp"

#include "balancer/config/units/duration.hpp"
#include "balancer/config/units/slot_text.hpp"
#include "balancer/events/event_json.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/process/child_process.hpp"
#include "balancer/worker/worker_command.hpp"
#include "common/async/back_off.hpp"
#include "common/async/sleep_for.hpp"
#include "common/async/spawn.hpp"
#include "common/sys/fd/memfd.hpp"
#include "common/text/counted.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

using Clock = asio::steady_timer::clock_type;
using namespace std::chrono_literals;

/// The programs of `hooks` for what `kind` is, and how the configuration calls it.
std::pair<const std::vector<std::string>*, std::string_view> hook_for(EventKind kind,
                                                                      const HooksConfig& hooks)
{
    switch (kind) {
    case EventKind::exit:
        return {&hooks.exit, "exit"};
    case EventKind::gave_up:
        return {&hooks.failed, "failed"};
    case EventKind::stalled:
        return {&hooks.stalled, "stalled"};
    default:
        return {nullptr, {}};
    }
}

/// Where what a hook writes goes: where the lines of its pool's workers go.
OutputConfig output_of(const Hook& hook)
{
    auto config = hook.pool->output;
    if (config.kind == OutputConfig::Kind::inherit)
        config = {};
    config.file = fill_slot(config.file, hook.event.slot);
    config.errors = fill_slot(config.errors, hook.event.slot);
    return config;
}

} // namespace

Hooks::Hooks(const asio::any_io_executor& executor, EventBus& events, Outputs& outputs)
    : executor_{executor},
      events_{events},
      outputs_{outputs},
      end_{executor},
      subscription_{events, [this](const Event& event) { on_event(event); }}
{
}

void Hooks::set(const std::vector<ResolvedPool>& pools)
{
    for (auto& [name, pool] : now_)
        before_.insert_or_assign(name, std::move(pool));
    now_.clear();
    for (const auto& pool : pools)
        now_.emplace(pool.name, std::make_shared<const ResolvedPool>(pool));
}

/// In the middle of whatever has happened: only takes note.
void Hooks::on_event(const Event& event)
{
    auto found = now_.find(event.pool);
    if (found == now_.end() && (found = before_.find(event.pool)) == before_.end())
        return;
    const auto& pool = found->second;
    const auto [command, name] = hook_for(event.kind, pool->hooks);
    if (command == nullptr || command->empty())
        return;
    Hook hook{
        .name = fmt::format("on.{}", name), .command = *command, .pool = pool, .event = event};
    if (!queues_[event.pool].add(std::move(hook)))
        ++left_out_[event.pool];
    asio::post(executor_, [this] { begin_all(); });
}

void Hooks::begin_all()
{
    for (auto& [name, queue] : queues_)
        while (auto hook = queue.begin()) {
            if (const auto left_out = std::exchange(left_out_[name], 0); left_out > 0)
                say(*hook, fmt::format("{} left out, because {} wait already",
                                       counted(left_out, "event"), HookQueue::most_waiting));
            spawn(executor_, run(std::move(*hook)));
        }
}

asio::awaitable<void> Hooks::run(Hook hook)
{
    try {
        co_await run_process(hook);
    } catch (const std::exception& e) {
        say(hook, std::string{"cannot be started: "} + e.what());
    }
    queues_[hook.event.pool].on_ended();
    begin_all();
    look_for_end();
}

asio::awaitable<void> Hooks::run_process(const Hook& hook)
{
    asio::steady_timer start{executor_, longest_end};
    Outputs::Writer writer{.pool = hook.event.pool,
                           .slot = hook.event.slot,
                           .is_stranger = hook.pool->account.is_other_user(),
                           .hook = hook.name};
    const auto output = co_await outputs_.connect(output_of(hook), std::move(writer), start);
    auto command = make_hook_command(*hook.pool, hook.event.slot, hook.command);
    const auto input = sys::make_text_memfd("usher-event", encode_event(hook.event) + '\n');
    command.input = input.get();
    command.output = output->worker_output();
    command.errors = output->worker_errors();
    const auto child = co_await ChildProcess::start(std::move(command), start);
    output->start(child->pid());

    const auto run = std::make_shared<Run>(Run{.end = asio::steady_timer{executor_, longest_run}});
    if (on_closed_) // usher is ending meanwhile
        run->end.expires_at(std::min(run->end.expiry(), end_.expiry()));
    const auto place = runs_.insert(runs_.end(), run);
    child->async_wait([run] {
        run->has_ended = true;
        run->end.cancel();
    });
    while (!run->has_ended && Clock::now() < run->end.expiry())
        co_await run->end.async_wait(asio::as_tuple(asio::deferred));
    runs_.erase(place);
    if (!run->has_ended) {
        say(hook, on_closed_ ? "is killed, because usher ends"
                             : fmt::format("takes longer than {}, and is killed",
                                           format_duration(longest_run)));
        child->kill_group();
    }
    std::optional<sys::ExitStatus> status;
    const auto patience = Clock::now() + longest_end; // SIGKILL may not reach it in the kernel
    for (BackOff pause{1ms, 100ms}; !(status = child->reap()) && Clock::now() < patience;)
        co_await sleep_for(pause.next());
    if (!status)
        child->give_up();
    output->finish();
    if (run->has_ended && status && *status != sys::ExitStatus{})
        say(hook, status->to_string());
}

void Hooks::say(const Hook& hook, const std::string& text)
{
    const EventSource source{
        events_,
        {.pool = hook.event.pool},
        fmt::format("pool \"{}\": {} ({})", hook.event.pool, hook.name, hook.command.front())};
    source.publish(EventKind::note, log::Level::warning, text);
}

void Hooks::close(std::function<void()> on_closed)
{
    on_closed_ = std::move(on_closed);
    end_.expires_after(longest_end);
    for (const auto& run : runs_)
        run->end.expires_at(std::min(run->end.expiry(), end_.expiry()));
    end_.async_wait([this](const boost::system::error_code& cancelled) {
        if (cancelled)
            return;
        for (auto& [name, queue] : queues_)
            if (const auto count = queue.drop(); count > 0)
                EventSource{events_, {.pool = name}}.publish(
                    EventKind::note, log::Level::warning,
                    fmt::format("pool \"{}\": {} told to no hook, because usher ends", name,
                                counted(count, "event")));
        look_for_end();
    });
    look_for_end();
}

void Hooks::look_for_end()
{
    const bool is_idle =
        std::ranges::all_of(queues_, [](const auto& each) { return each.second.is_idle(); });
    if (!on_closed_ || !is_idle)
        return;
    end_.cancel();
    std::exchange(on_closed_, nullptr)();
}

} // namespace usher
