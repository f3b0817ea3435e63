// SPDX-License-Identifier: MIT
#include "common/sys/socket/bound_socket.hpp"

#include "common/sys/syscall.hpp"

#include <tuple>
#include <utility>

#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::sys {

namespace {

bool set_option(int fd, int level, int option, bool value) noexcept
{
    const int number = value ? 1 : 0;
    return ::setsockopt(fd, level, option, &number, sizeof number) == 0;
}

} // namespace

std::error_code open_bound_socket(const SocketAddress& address, const BindOptions& options,
                                  UniqueFd& socket)
{
    UniqueFd fd{::socket(address.family(), options.type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    const bool ok =
        fd && (!options.reuse_address || set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, true)) &&
        (!options.reuse_port || set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, true)) &&
        (address.family() != AF_INET6 ||
         set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, options.v6only)) &&
        // Linux gives a Unix socket's file what its socket has, less the umask, which is the
        // process's and so not ours to change.
        (!options.mode || ::fchmod(fd.get(), *options.mode) == 0) &&
        ::bind(fd.get(), address.data(), address.size()) == 0 &&
        (!options.backlog || ::listen(fd.get(), static_cast<int>(*options.backlog)) == 0);
    const auto error = ok ? std::error_code{} : last_error();
    if (ok)
        socket = std::move(fd);
    return error;
}

int socket_option(int socket, int option) noexcept
{
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(socket, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}

void lock_filter(int socket) noexcept
{
    set_option(socket, SOL_SOCKET, SO_LOCK_FILTER, true);
}

void disown(int socket) noexcept
{
    // The kernel compares the owners of the sockets' inodes (inet_csk_bind_conflict()).
    constexpr uid_t overflow = 65534;
    std::ignore = ::fchown(socket, overflow, static_cast<gid_t>(-1));
}

std::error_code read_bound_address(int socket, SocketAddress& address) noexcept
{
    socklen_t size = SocketAddress::capacity();
    if (::getsockname(socket, address.data(), &size) < 0)
        return last_error();
    address.resize(size);
    return {};
}

} // namespace usher::sys
