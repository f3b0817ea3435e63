// SPDX-License-Identifier: MIT
#include "balancer/dialect/notify/notify_inbox.hpp"

#include "common/async/adopt_fd.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/fd_message.hpp"
#include "common/sys/syscall.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

/// As systemd has it; sd_notify(3) promises no more.
constexpr std::size_t longest_message = 4096;

} // namespace

NotifyInbox::NotifyInbox(const asio::any_io_executor& executor) : socket_{executor}
{
    sys::UniqueFd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd)
        sys::throw_last_error("socket");
    const int on = 1;
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
        sys::throw_last_error("SO_PASSCRED");

    // Nothing but the family: the kernel chooses a name that nobody has.
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socklen_t size = sizeof address.sun_family;
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) < 0)
        sys::throw_last_error("bind");
    size = sizeof address;
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) < 0)
        sys::throw_last_error("getsockname");
    address_.assign(address.sun_path, size - offsetof(sockaddr_un, sun_path));
    address_.front() = '@'; // for the zero byte that such names begin with
    socket_ = adopt_fd<asio::posix::stream_descriptor>(socket_.get_executor(), std::move(fd));
}

void NotifyInbox::start(uid_t user, Handler handler)
{
    user_ = user;
    handler_ = std::move(handler);
    wait();
}

void NotifyInbox::wait()
{
    socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                           if (error || !self->socket_.is_open())
                               return;
                           self->read_one();
                           if (self->socket_.is_open())
                               self->wait();
                       });
}

void NotifyInbox::read_one()
{
    std::array<char, longest_message> buffer;
    sys::FdMessage message;
    if (sys::recv_with_fds(socket_.native_handle(), std::as_writable_bytes(std::span{buffer}),
                           message))
        return;
    sys::discard_fds(message.fds);
    const auto user = message.sender.uid;
    if (user == 0 || user == ::geteuid() || user == user_)
        handler_(parse_notification({buffer.data(), message.size}));
}

void NotifyInbox::close() noexcept
{
    boost::system::error_code ignored;
    socket_.close(ignored);
}

} // namespace usher
