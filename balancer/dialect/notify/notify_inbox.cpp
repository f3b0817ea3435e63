// SPDX-License-Identifier: MIT
#include "balancer/dialect/notify/notify_inbox.hpp"

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

sys::UniqueFd make_socket(std::string& address)
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
    const int on = 1;
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
        sys::throw_last_error("SO_PASSCRED");
    address.assign(reinterpret_cast<const sockaddr_un*>(name.data())->sun_path,
                   name.size() - offsetof(sockaddr_un, sun_path));
    address.front() = '@'; // for the zero byte that such names begin with
    return fd;
}

} // namespace

// Its descriptors are not refused: sd_notify_barrier(3) sends one, and waits until it is closed.
NotifyInbox::NotifyInbox(const asio::any_io_executor& executor)
    : socket_{executor, make_socket(address_), InboundSocket::Senders::others}
{
}

void NotifyInbox::start(uid_t user, Handler handler)
{
    user_ = user;
    handler_ = std::move(handler);
    socket_.keep_receiving(std::as_writable_bytes(std::span{buffer_}),
                           [this, self = shared_from_this()](
                               std::error_code error, const InboundSocket::Message& message) {
                               if (!error)
                                   on_received(message);
                               return !error;
                           });
}

void NotifyInbox::on_received(const InboundSocket::Message& message)
{
    if (message.sender == 0 || message.sender == ::geteuid() || message.sender == user_)
        handler_(parse_notification({buffer_.data(), message.size}));
}

} // namespace usher
