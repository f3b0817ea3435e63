// SPDX-License-Identifier: MIT
#include "balancer/dialect/notify/notify_inbox.hpp"

#include <span>
#include <system_error>
#include <utility>

#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

bool is_abstract(const std::string& address)
{
    return address.starts_with('@');
}

} // namespace

// Its descriptors are not refused: sd_notify_barrier(3) sends one, and waits until it is closed.
NotifyInbox::NotifyInbox(const asio::any_io_executor& executor, uid_t user, InboxSocket socket)
    : user_{user},
      address_{std::move(socket.address)},
      file_{std::move(socket.file)},
      socket_{executor, std::move(socket.fd),
              is_abstract(address_) || user != ::geteuid() ? InboundSocket::Senders::others
                                                           : InboundSocket::Senders::ours},
      pause_{executor}
{
}

void NotifyInbox::start(Handler handler)
{
    handler_ = std::move(handler);
    receive();
}

void NotifyInbox::receive()
{
    socket_.keep_receiving(std::as_writable_bytes(std::span{buffer_}),
                           [this, self = shared_from_this()](
                               std::error_code error, const InboundSocket::Message& message) {
                               return on_received(error, message);
                           });
}

bool NotifyInbox::on_received(std::error_code error, const InboundSocket::Message& message)
{
    if (error)
        return false;
    // Of a file the kernel has looked already.
    if (!is_abstract(address_) || message.sender == 0 || message.sender == ::geteuid() ||
        message.sender == user_)
        handler_(parse_notification({buffer_.data(), message.size}));
    if (!socket_.is_open() || limit_.take(RateLimit::Clock::now()))
        return true;
    // Its queue fills, and the sender waits for us instead of the pools.
    pause_.expires_at(limit_.next());
    pause_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
        if (!cancelled && self->socket_.is_open())
            self->receive();
    });
    return false;
}

void NotifyInbox::close() noexcept
{
    pause_.cancel();
    socket_.close();
    file_ = {};
}

} // namespace usher
