// SPDX-License-Identifier: MIT
#include "balancer/systemd/notifier.hpp"

#include "balancer/events/event_source.hpp"
#include "balancer/systemd/libsystemd.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <tuple>

namespace asio = boost::asio;

namespace usher::systemd {

namespace {

/// Where the service manager waits for word; empty if it does not.
std::string_view manager_socket() noexcept
{
    const char* const variable = std::getenv("NOTIFY_SOCKET");
    return variable != nullptr ? variable : "";
}

bool is_wanted() noexcept
{
    return is_built_in() && !manager_socket().empty();
}

} // namespace

Notifier::Notifier(const asio::any_io_executor& executor, const PoolSet& pools, EventBus& events)
    : executor_{executor}, pools_{pools}, events_{events}, watchdog_{executor}, retry_{executor}
{
}

void Notifier::start()
{
    if (!is_wanted())
        return;
    subscription_.emplace(events_, [this](const Event& event) { on_event(event); });
    tell(state_.on_change(facts()));

    if (const auto timeout = watchdog_timeout()) {
        constexpr std::chrono::microseconds shortest{1'000}; // or the loop would do nothing else
        watchdog_interval_ = std::max(*timeout / 2, shortest);
        await_watchdog();
    }
}

void Notifier::close()
{
    watchdog_interval_ = {};
    watchdog_.cancel();
    retry_.cancel();
}

void Notifier::on_event(const Event& event)
{
    switch (event.kind) {
    // At once: a reload that is refused begins and ends within one turn of the loop.
    case EventKind::reload_started:
        return tell(state_.on_reload_started(facts(), std::chrono::steady_clock::now()));
    case EventKind::reload_done:
        return tell(state_.on_reload_ended(facts(), ""));
    case EventKind::reload_failed:
    case EventKind::rolled_back:
        return tell(state_.on_reload_ended(facts(), event.message));
    case EventKind::stopping:
        return tell(state_.on_stopping(facts()));
    case EventKind::stopped: // the loop will not turn again
        return tell(state_.on_stopping({}, event.message));
    default:
        return look_again();
    }
}

/// Once this turn of the loop is over: an event says that something changes, not that it has.
void Notifier::look_again()
{
    if (std::exchange(will_look_, true))
        return;
    asio::post(executor_, [this] {
        will_look_ = false;
        tell(state_.on_change(facts()));
    });
}

void Notifier::await_watchdog()
{
    watchdog_.expires_after(watchdog_interval_);
    watchdog_.async_wait([this](const boost::system::error_code& cancelled) {
        if (cancelled || watchdog_interval_ == watchdog_interval_.zero())
            return;
        if (unsent_.empty()) // or the next one is soon enough
            std::ignore = notify("WATCHDOG=1");
        await_watchdog();
    });
}

void Notifier::tell(const std::string& state)
{
    if (state.empty())
        return;
    if (unsent_.size() == most_unsent)
        unsent_.pop_front();
    unsent_.push_back(state);
    if (unsent_.size() == 1)
        send();
}

/// A service manager that does not read now, because it is busy, must not keep us.
void Notifier::send()
{
    std::error_code error;
    for (; !unsent_.empty(); unsent_.pop_front()) {
        error = notify(unsent_.front());
        if (error == std::errc::operation_would_block) {
            retry_.expires_after(std::chrono::seconds{1});
            retry_.async_wait([this](const boost::system::error_code& cancelled) {
                if (!cancelled)
                    send();
            });
            return;
        }
    }
    if (!error || std::exchange(failed_, true))
        return;
    // Not from here: this may be an event's handler.
    asio::post(executor_, [this, error] {
        EventSource{events_}.publish(EventKind::note, log::Level::warning,
                                     "the service manager cannot be told how we are, at " +
                                         std::string{manager_socket()} + ": " + error.message());
    });
}

ServiceState::Facts Notifier::facts() const
{
    ServiceState::Facts result;
    for (const auto& pool : pools_.all())
        result.push_back(facts_of(*pool));
    return result;
}

} // namespace usher::systemd
