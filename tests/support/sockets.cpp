// SPDX-License-Identifier: MIT
#include "tests/support/sockets.hpp"

#include "common/sys/syscall.hpp"

#include <array>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace usher::test {

namespace {

void set_non_blocking(int fd)
{
    if (::fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        sys::throw_last_error("O_NONBLOCK");
}

sys::UniqueFd make_socket(int family)
{
    sys::UniqueFd fd{::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd)
        sys::throw_last_error("socket");
    return fd;
}

} // namespace

Connected make_connection()
{
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) < 0)
        sys::throw_last_error("socketpair");
    Connected pair{.client = sys::UniqueFd{fds[0]}, .server = sys::UniqueFd{fds[1]}};
    set_non_blocking(pair.server.get());
    return pair;
}

sys::SocketAddress loopback(std::uint16_t port)
{
    constexpr std::array<std::uint8_t, 4> address{127, 0, 0, 1};
    return sys::SocketAddress::ipv4(address, port);
}

TestListener listen_on(const sys::SocketAddress& address, int backlog)
{
    auto fd = make_socket(address.family());
    set_non_blocking(fd.get());
    if (::bind(fd.get(), address.data(), address.size()) < 0)
        sys::throw_last_error("bind");
    if (::listen(fd.get(), backlog) < 0)
        sys::throw_last_error("listen");
    auto bound = address_of(fd.get());
    return {.fd = std::move(fd), .address = bound};
}

sys::UniqueFd connect_to(const sys::SocketAddress& address)
{
    auto fd = make_socket(address.family());
    if (::connect(fd.get(), address.data(), address.size()) < 0)
        sys::throw_last_error("connect");
    return fd;
}

sys::SocketAddress address_of(int fd)
{
    sys::SocketAddress address;
    socklen_t size = sys::SocketAddress::capacity();
    if (::getsockname(fd, address.data(), &size) < 0)
        sys::throw_last_error("getsockname");
    address.resize(size);
    return address;
}

bool is_readable(int fd, std::chrono::milliseconds wait)
{
    pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready =
        sys::retry_on_eintr([&] { return ::poll(&entry, 1, static_cast<int>(wait.count())); });
    if (ready < 0)
        sys::throw_last_error("poll");
    return ready > 0;
}

void wait_readable(int fd)
{
    if (!is_readable(fd, socket_patience))
        throw std::runtime_error{"nothing to read after 10 s"};
}

void write_text(int fd, std::string_view text)
{
    if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
        sys::throw_last_error("send");
}

std::string read_text(int fd)
{
    wait_readable(fd);
    std::array<char, 4096> buffer;
    const auto size = ::read(fd, buffer.data(), buffer.size());
    if (size < 0)
        sys::throw_last_error("read");
    return {buffer.data(), static_cast<std::size_t>(size)};
}

bool sees_end(int fd)
{
    wait_readable(fd);
    char byte = 0;
    return ::read(fd, &byte, 1) <= 0;
}

} // namespace usher::test
