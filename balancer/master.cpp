// SPDX-License-Identifier: MIT
#include "balancer/master.hpp"

#include "balancer/admin/status.hpp"
#include "balancer/config/limits.hpp"
#include "common/log.hpp"
#include "common/sys/pidfd.hpp"

#include <boost/asio/co_spawn.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

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

void rethrow(const std::exception_ptr& error)
{
    if (error)
        std::rethrow_exception(error); // a bug: main() reports it
}

/// The number that `text` means where there are `now`: "4", "+1", "-2"; nothing if it is none or
/// out of range.
std::optional<unsigned> wanted_workers(std::string_view text, unsigned now)
{
    const bool relative = text.starts_with('+') || text.starts_with('-');
    const bool less = text.starts_with('-');
    unsigned number = 0;
    const char* const begin = text.data() + (relative ? 1 : 0);
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(begin, end, number);
    if (error != std::errc{} || rest != end || number > workers_range.most)
        return std::nullopt;
    const long wanted = !relative ? long{number} : less ? long{now} - number : long{now} + number;
    if (wanted < workers_range.least || wanted > workers_range.most)
        return std::nullopt;
    return static_cast<unsigned>(wanted);
}

Reply to_reply(const Outcome& outcome, std::string done)
{
    if (outcome.is_done())
        return {.code = ExitCode::done, .message = std::move(done)};
    return {.code = outcome.kind == Outcome::Kind::rolled_back ? ExitCode::rolled_back
                                                               : ExitCode::failed,
            .message = outcome.reason};
}

} // namespace

Master::Master(const RunCommand& command)
    : log_{events_, [](const Event& event) { log::write(event.level, event.message); }},
      signals_{io_},
      outputs_{io_.get_executor(), events_},
      reloader_{io_.get_executor(), command.reload, pools_, events_},
      control_{io_.get_executor(), command.control, *this}
{
    require_pidfd();

    // A client or worker that goes away is an EPIPE for whoever writes, not the master's end.
    ::signal(SIGPIPE, SIG_IGN);
    for (const int number : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGTTIN, SIGTTOU})
        signals_.add(number);

    const auto& pools = command.config.pools;
    const bool labelled = pools.size() > 1;
    for (const auto& pool : pools)
        pools_.push_back(std::make_unique<Pool>(io_.get_executor(), pool, labelled, events_,
                                                outputs_, last_worker_id_));
}

void Master::publish(EventKind kind, log::Level level, std::string text)
{
    events_.publish({.kind = kind, .level = level, .message = std::move(text)});
}

int Master::run()
{
    publish(EventKind::note, log::Level::info,
            fmt::format("usher {}, master pid {}", USHER_VERSION, ::getpid()));
    control_.open();
    for (const auto& pool : pools_)
        pool->open();

    running_pools_ = pools_.size();
    for (const auto& pool : pools_)
        pool->start([this] { on_pool_end(); });
    control_.start();
    await_signal();

    io_.run();

    if (!stopping_) {
        publish(EventKind::stopped, log::Level::error, "nothing is left to serve with, giving up");
        return 1;
    }
    publish(EventKind::stopped, log::Level::info, "stopped");
    return 0;
}

void Master::await_signal()
{
    signals_.async_wait([this](const boost::system::error_code& cancelled, int number) {
        // A signal that was caught before the last pool ended may be delivered after it, when
        // cancel() finds nothing to cancel any more.
        if (cancelled || running_pools_ == 0)
            return;
        on_signal(number);
        await_signal();
    });
}

void Master::on_signal(int number)
{
    const auto name = std::string{"SIG"} + ::sigabbrev_np(number);
    switch (number) {
    case SIGHUP:
        publish(EventKind::note, log::Level::info, name + ": reload");
        asio::co_spawn(
            io_, [this]() -> asio::awaitable<void> { co_await reload(); }, rethrow);
        break;
    case SIGUSR1:
        publish(EventKind::note, log::Level::info, name + ": opening the log files anew");
        return outputs_.reopen();
    case SIGTTIN:
        return scale_all(+1);
    case SIGTTOU:
        return scale_all(-1);
    default:
        publish(EventKind::note, log::Level::info, name);
        stop(stopping_);
        break;
    }
}

void Master::scale_all(int difference)
{
    for (const auto& pool : pools_)
        asio::co_spawn(
            io_,
            [this, name = pool->config().name, difference]() -> asio::awaitable<void> {
                const auto reply = co_await scale(name, difference > 0 ? "+1" : "-1");
                if (reply.code != ExitCode::done)
                    publish(EventKind::note, log::Level::warning,
                            fmt::format("pool \"{}\" is not scaled: {}", name, reply.message));
            },
            rethrow);
}

void Master::on_pool_end()
{
    if (!stopping_)
        for (const auto& pool : pools_)
            if (const auto failure = pool->failure(); !failure.empty())
                publish(EventKind::note, log::Level::error, failure);

    if (--running_pools_ == 0) {
        signals_.cancel();
        outputs_.close();
        control_.close();
    }
}

Pool* Master::find_pool(std::string_view name) noexcept
{
    if (name.empty())
        return pools_.size() == 1 ? pools_.front().get() : nullptr;
    const auto found =
        std::ranges::find_if(pools_, [&](const auto& pool) { return pool->config().name == name; });
    return found == pools_.end() ? nullptr : found->get();
}

asio::awaitable<Reply> Master::reload()
{
    if (stopping_)
        co_return Reply{.code = ExitCode::failed, .message = "usher is stopping"};
    co_return co_await reloader_.reload();
}

/// Why there is no such slot; nothing if there is.
std::optional<Reply> Master::refuse_slot(std::string_view pool, unsigned slot)
{
    const Pool* const found = find_pool(pool);
    if (found == nullptr)
        return Reply{.code = ExitCode::usage, .message = unknown_pool(pool)};
    if (slot > found->slots().size())
        return Reply{.code = ExitCode::usage,
                     .message = fmt::format("there is no slot {}, the last one is {}", slot,
                                            found->slots().size())};
    return std::nullopt;
}

asio::awaitable<Reply> Master::restart(std::string pool, unsigned slot)
{
    if (auto refusal = refuse_slot(pool, slot))
        co_return *refusal;
    const auto outcome = co_await find_pool(pool)->restart(slot);
    co_return to_reply(outcome, slot == 0 ? "all workers restarted"
                                          : fmt::format("worker {} restarted", slot));
}

asio::awaitable<Reply> Master::drain(std::string pool, unsigned slot)
{
    if (auto refusal = refuse_slot(pool, slot))
        co_return *refusal;
    const auto outcome = co_await find_pool(pool)->drain(slot);
    co_return to_reply(outcome, fmt::format("worker {} drained; usher restart {} fills the slot "
                                            "again",
                                            slot, slot));
}

asio::awaitable<Reply> Master::scale(std::string pool, std::string workers)
{
    Pool* const found = find_pool(pool);
    if (found == nullptr)
        co_return Reply{.code = ExitCode::usage, .message = unknown_pool(pool)};
    const auto wanted = wanted_workers(workers, found->config().workers);
    if (!wanted)
        co_return Reply{.code = ExitCode::usage,
                        .message =
                            fmt::format("\"{}\" of {} workers is not a number from {} to {}; "
                                        "write e.g. 4, +1 or -1",
                                        workers, found->config().workers, workers_range.least,
                                        workers_range.most)};
    const auto outcome = co_await found->scale(*wanted);
    co_return to_reply(outcome, fmt::format("{} workers", *wanted));
}

std::string Master::unknown_pool(std::string_view name) const
{
    if (name.empty())
        return "there are several pools; say which";
    std::string known;
    for (const auto& pool : pools_)
        known += (known.empty() ? "" : ", ") + pool->config().name;
    return fmt::format("there is no pool \"{}\"; there is {}", name, known);
}

Reply Master::stop(bool fast)
{
    stopping_ = true;
    publish(EventKind::stopping, log::Level::info,
            fast ? "stopping now"
                 : "accepting nothing more, draining the workers (again to stop now)");
    for (const auto& pool : pools_) {
        pool->stop();
        if (fast)
            pool->hurry();
    }
    return {.code = ExitCode::done, .message = "stopping"};
}

std::string Master::status() const
{
    return describe(pools_, events_);
}

} // namespace usher
