// SPDX-License-Identifier: MIT
#include "balancer/dialect/notify/notify_inbox.hpp"

#include "balancer/dialect/notify/inbox_folder.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "common/sys/syscall.hpp"

#include <cstddef>
#include <span>
#include <system_error>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

sys::UniqueFd make_abstract_socket(std::string& address)
{
    // Nothing but the family: the kernel chooses a name that nobody has.
    const sockaddr_un unnamed{.sun_family = AF_UNIX, .sun_path = {}};
    sys::SocketAddress name{reinterpret_cast<const sockaddr*>(&unnamed), sizeof unnamed.sun_family};
    sys::UniqueFd fd;
    auto error = sys::open_bound_socket(name, {.type = SOCK_DGRAM}, fd);
    if (!error)
        error = sys::read_bound_address(fd.get(), name);
    if (error)
        throw std::system_error{error, "a socket for NOTIFY_SOCKET"};
    address.assign(reinterpret_cast<const sockaddr_un*>(name.data())->sun_path,
                   name.size() - offsetof(sockaddr_un, sun_path));
    address.front() = '@'; // for the zero byte that such names begin with
    return fd;
}

bool is_abstract(const std::string& address)
{
    return address.starts_with('@');
}

} // namespace

// Its descriptors are not refused: sd_notify_barrier(3) sends one, and waits until it is closed.
NotifyInbox::NotifyInbox(const asio::any_io_executor& executor, uid_t user)
    : user_{user},
      socket_{executor, make_socket(executor),
              is_abstract(address_) || user != ::geteuid() ? InboundSocket::Senders::others
                                                           : InboundSocket::Senders::ours},
      pause_{executor}
{
}

sys::UniqueFd NotifyInbox::make_socket(const asio::any_io_executor& executor)
{
    auto& folder = InboxFolder::of(executor);
    auto fd = folder.make_socket(user_, address_);
    if (!fd) {
        fd = make_abstract_socket(address_);
        trouble_ = folder.take_trouble();
    }
    const int on = 1;
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
        sys::throw_last_error("SO_PASSCRED");
    return fd;
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
    if (message.sender == 0 || message.sender == ::geteuid() || message.sender == user_)
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
    if (!address_.empty() && !is_abstract(address_))
        ::unlink(address_.c_str());
    address_.clear();
}

} // namespace usher
