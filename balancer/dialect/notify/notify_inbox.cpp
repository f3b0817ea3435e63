// SPDX-License-Identifier: MIT
#include "balancer/dialect/notify/notify_inbox.hpp"

#include "common/async/adopt_fd.hpp"
#include "common/async/closing_thread.hpp"
#include "common/async/keep_reading.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "common/sys/socket/fd_message.hpp"
#include "common/sys/syscall.hpp"

#include <array>
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

/// As systemd has it; sd_notify(3) promises no more.
constexpr std::size_t longest_message = 4096;

} // namespace

NotifyInbox::NotifyInbox(const asio::any_io_executor& executor) : socket_{executor}
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
    address_.assign(reinterpret_cast<const sockaddr_un*>(name.data())->sun_path,
                    name.size() - offsetof(sockaddr_un, sun_path));
    address_.front() = '@'; // for the zero byte that such names begin with
    socket_ = adopt_fd<asio::posix::stream_descriptor>(socket_.get_executor(), std::move(fd));
}

void NotifyInbox::start(uid_t user, Handler handler)
{
    user_ = user;
    handler_ = std::move(handler);
    keep_reading(socket_, shared_from_this(), [this] { return read_one(); });
}

/// False: nothing more is heard, since what comes along cannot be closed.
bool NotifyInbox::read_one()
{
    std::array<char, longest_message> buffer;
    sys::FdMessage message;
    if (sys::recv_with_fds(socket_.native_handle(), std::as_writable_bytes(std::span{buffer}),
                           message))
        return true;
    const auto user = message.sender.uid;
    if (!close_elsewhere(message.fds))
        return false; // no more of these
    if (user == 0 || user == ::geteuid() || user == user_)
        handler_(parse_notification({buffer.data(), message.size}));
    return true;
}

void NotifyInbox::close() noexcept
{
    close_socket(socket_, true); // which closes what waits there as well
}

} // namespace usher
