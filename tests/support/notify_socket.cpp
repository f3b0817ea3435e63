// SPDX-License-Identifier: MIT
#include "tests/support/notify_socket.hpp"

#include "common/sys/socket/socket_address.hpp"
#include "common/sys/syscall.hpp"
#include "tests/support/sockets.hpp"

#include <array>
#include <filesystem>
#include <stdexcept>

namespace usher::test {

NotifySocket::NotifySocket() : socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)}
{
    std::filesystem::permissions(folder_.path(), std::filesystem::perms::all);
    const auto address = sys::SocketAddress::unix_path(path());
    if (!socket_ || ::bind(socket_.get(), address.data(), address.size()) < 0)
        sys::throw_last_error("NOTIFY_SOCKET");
    std::filesystem::permissions(path(), std::filesystem::perms::all);
}

std::string NotifySocket::next()
{
    constexpr std::chrono::seconds patience{20};
    if (!is_readable(socket_.get(), patience))
        throw std::runtime_error{"no message for the service manager within 20 s"};
    std::array<char, 8192> buffer;
    const auto size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0)
        sys::throw_last_error("recv");
    return {buffer.data(), static_cast<std::size_t>(size)};
}

bool NotifySocket::has_next() const
{
    return is_readable(socket_.get());
}

} // namespace usher::test
