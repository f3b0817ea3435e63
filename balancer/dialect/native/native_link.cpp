// SPDX-License-Identifier: MIT
#include "balancer/dialect/native/native_link.hpp"

#include "balancer/dialect/native/native_environment.hpp"
#include "common/sys/socket/channel_pair.hpp"
#include "common/text/one_line.hpp"
#include "common/wire/environment.hpp"

#include <fmt/core.h>

#include <tuple>
#include <utility>
#include <variant>

namespace asio = boost::asio;

namespace usher {

NativeLink::NativeLink(const asio::any_io_executor& executor, WorkerIdentity identity,
                       Dispatcher& dispatcher, std::unique_ptr<HandoffChannel> handoff)
    : executor_{executor},
      identity_{std::move(identity)},
      dispatcher_{dispatcher},
      handoff_{std::move(handoff)}
{
    auto pair = sys::make_channel_pair();
    control_ = std::make_shared<ControlChannel>(executor, std::move(pair.parent),
                                                dispatcher.strangers() == Strangers::workers);
    worker_control_ = std::move(pair.child);
}

WorkerLink::Equipment NativeLink::equip(std::map<std::string, std::string>& environment,
                                        int first_number) const
{
    add_native(environment, first_number, first_number + 1, first_number + 2);
    return {.descriptors = {handoff_->worker_ends().front(), worker_control(),
                            handoff_->scoreboard().fd()}};
}

void NativeLink::set_limits(const Limits& limits, std::function<void()> on_due)
{
    handoff_->set_max_queue(limits.max_queue);
    handoff_->set_move_after(limits.move_after);
    dispatcher_.watch_queues(); // something may wait already
    handoff_->notify_at(limits.due_at, std::move(on_due));
}

void NativeLink::start(pid_t process, Observer& observer)
{
    process_ = process;
    observer_ = &observer;
    worker_control_.reset();
    control_->start([this](const wire::ControlMessage& message) { on_message(message); });
    for (const auto& socket : handoff_->sockets())
        watch(socket.parent.get());
}

/// Tells when `socket`, our end, or the worker's has been shut down.
void NativeLink::watch(int socket)
{
    auto& watched = watched_.emplace_back(executor_);
    boost::system::error_code error;
    watched.assign(socket, error);
    if (error)
        return observer_->on_fault("cannot be watched: " + error.message());
    // EPOLLHUP ends a wait for errors.  The master's end is shut for reading from its birth, so the
    // other half makes it one (unix_dgram_poll() in the kernel).
    watched.async_wait(
        asio::posix::stream_descriptor::wait_error,
        [this, self = shared_from_this()](const boost::system::error_code& cancelled) {
            if (!cancelled && !watched_.empty()) // else it stopped in this turn of the event loop
                on_shut_down();
        });
}

void NativeLink::attach()
{
    dispatcher_.attach(identity_.slot - 1, *handoff_);
}

void NativeLink::detach() noexcept
{
    dispatcher_.detach(identity_.slot - 1, *handoff_);
}

bool NativeLink::drain(std::chrono::milliseconds timeout)
{
    stop_watching();
    control_->send(wire::encode_drain(timeout));
    handoff_->shut_down();
    return false;
}

void NativeLink::give_back(bool suspect)
{
    const auto name = fmt::format("{} (pid {})", identity_.label, process_);
    while (auto queue = handoff_->take_worker_end())
        if (suspect)
            dispatcher_.reclaim(name, std::move(queue), started_);
        else
            dispatcher_.take_back(name, std::move(queue));
}

void NativeLink::stop_watching() noexcept
{
    for (auto& watched : watched_)
        std::ignore = watched.release();
    watched_.clear();
}

void NativeLink::on_shut_down()
{
    stop_watching();
    const auto error = handoff_->broken_by();
    observer_->on_fault(!error || error == std::errc::broken_pipe
                            ? "has shut its hand-off socket down"
                            : "cannot be handed connections: " + error.message());
}

void NativeLink::cut_off(bool at_fault)
{
    stop_watching();
    handoff_->shut_down();
    give_back(at_fault);
}

void NativeLink::finish()
{
    stop_watching();
    give_back(true);
    control_->close();
}

void NativeLink::on_message(const wire::ControlMessage& message)
{
    if (!messages_.take(RateLimit::Clock::now())) {
        control_->close(); // nothing it says counts any more
        return observer_->on_fault(fmt::format("sent more than {} control messages in {} s",
                                               most_messages, RateLimit::interval.count()));
    }
    if (const auto* const hello = std::get_if<wire::Hello>(&message))
        return on_hello(*hello);
    if (std::holds_alternative<wire::Ready>(message))
        return said_hello_ ? observer_->on_ready() : observer_->on_fault("said ready before hello");
    if (const auto* const bye = std::get_if<wire::Bye>(&message))
        return observer_->on_note(
            "says it leaves: " +
            (bye->reason.empty() ? "no reason given" : on_one_line(bye->reason, longest_word)));
    if (const auto* const bad = std::get_if<wire::MalformedMessage>(&message))
        return observer_->on_fault("sent a malformed control message: " + bad->reason);

    if (const auto* const question = std::get_if<wire::ListenQuestion>(&message))
        return on_question(*question);
    if (std::holds_alternative<wire::NodePrimary>(message))
        return on_node_primary();
    on_unknown(std::get<wire::UnknownMessage>(message).type);
}

/// A newer worker may say more than this master knows.
void NativeLink::on_unknown(std::string_view type)
{
    if (!std::exchange(told_unknown_, true))
        observer_->on_note(
            fmt::format("message of unknown type \"{}\" ignored, and all others that are unknown",
                        on_one_line(type, longest_word)));
}

void NativeLink::on_hello(const wire::Hello& hello)
{
    if (hello.protocol != wire::env::protocol_version)
        return observer_->on_fault("speaks protocol " + std::to_string(hello.protocol) +
                                   ", and this master speaks " +
                                   std::to_string(wire::env::protocol_version));
    if (!on_identified(hello))
        return;
    if (std::exchange(said_hello_, true))
        return observer_->on_fault("said hello twice");

    handoff_->set_max_batch(hello.max_batch);
    control_->send(wire::encode_welcome(identity_.id, identity_.slot, identity_.generation));
    observer_->on_online();
}

} // namespace usher
