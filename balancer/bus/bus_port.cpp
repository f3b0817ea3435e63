// SPDX-License-Identifier: MIT
#include "balancer/bus/bus_port.hpp"

#include "balancer/bus/bus_limits.hpp"
#include "common/sys/socket/channel_pair.hpp"
#include "common/sys/syscall.hpp"

#include <fmt/core.h>

#include <chrono>
#include <new>
#include <utility>

#include <fcntl.h>

namespace usher {

namespace {

/// A script's `echo` into it must not fail where a moment's wait would do.
void make_blocking(int fd)
{
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
        sys::throw_last_error("fcntl");
}

} // namespace

BusPort::BusPort(std::shared_ptr<Bus> bus, BusIdentity who, const BusConfig& limits,
                 InboundSocket::Senders senders)
    : bus_{std::move(bus)}, who_{std::move(who)}
{
    auto [ours, theirs] = sys::make_stream_pair();
    make_blocking(theirs.get());
    worker_end_ = std::move(theirs);
    connection_ = std::make_shared<BusConnection>(bus_->executor(), std::move(ours), senders);
    member_ = bus_->router().join(who_, limits, [this] { connection_->write(); });
}

BusPort::~BusPort()
{
    // Within the body: a handler around it would throw on at its end (C++20, [except.handle]).
    try {
        connection_->close();
        bus_->router().leave(member_);
        bus_->settle_soon();          // whoever has asked it something need not wait
    } catch (const std::bad_alloc&) { // NOLINT(bugprone-empty-catch)
        // Then whoever has asked waits until its time is over.
    }
}

void BusPort::start()
{
    worker_end_.reset();
    connection_->start(*this);
}

void BusPort::on_leaving()
{
    bus_->router().on_leaving(who_);
    bus_->settle_soon();
}

void BusPort::on_ended()
{
    connection_->read_rest(); // what it has said last
    connection_->close();
    bus_->router().on_ended(who_);
    bus_->settle_soon();
}

void BusPort::on_line(std::string_view line)
{
    bus_->router().on_line(member_, line, BusRouter::Clock::now());
}

void BusPort::on_long_line()
{
    bus_->router().refuse(member_,
                          {.code = "too-long",
                           .reason = fmt::format("a line has at most {} bytes", longest_bus_line)});
}

void BusPort::on_heard()
{
    bus_->settle();
}

void BusPort::on_gone()
{
    bus_->router().leave(member_);
    bus_->settle();
}

Outbox& BusPort::outbox()
{
    return bus_->router().outbox(member_);
}

} // namespace usher
