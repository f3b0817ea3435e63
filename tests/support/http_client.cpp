// SPDX-License-Identifier: MIT
#include "tests/support/http_client.hpp"

#include "common/sys/syscall.hpp"
#include "tests/support/sockets.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace usher::test {

namespace {

sys::UniqueFd connect_within_limit(const sys::SocketAddress& address)
{
    sys::UniqueFd fd{::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd)
        sys::throw_last_error("socket");
    const timeval timeout{.tv_sec = HttpClient::limit.count(), .tv_usec = 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (::connect(fd.get(), address.data(), address.size()) < 0)
        sys::throw_last_error("connect");
    return fd;
}

} // namespace

std::string HttpAnswer::header(std::string_view name) const
{
    const auto wanted = "\r\n" + std::string{name} + ": ";
    const auto at =
        std::search(head.begin(), head.end(), wanted.begin(), wanted.end(), [](char a, char b) {
            return std::tolower(static_cast<unsigned char>(a)) ==
                   std::tolower(static_cast<unsigned char>(b));
        });
    if (at == head.end())
        return {};
    const auto start = static_cast<std::size_t>(at - head.begin()) + wanted.size();
    return head.substr(start, head.find("\r\n", start) - start);
}

HttpClient::HttpClient(std::uint16_t port) : HttpClient{loopback(port)} {}

HttpClient::HttpClient(const std::string& unix_path)
    : HttpClient{sys::SocketAddress::unix_path(unix_path)}
{
}

HttpClient::HttpClient(const sys::SocketAddress& address) : socket_{connect_within_limit(address)}
{
}

void HttpClient::send(std::string_view bytes) const
{
    while (!bytes.empty()) {
        const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0)
            sys::throw_last_error("send");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

void HttpClient::send_get(std::string_view target, bool close) const
{
    send("GET " + std::string{target} + " HTTP/1.1\r\nHost: test\r\n" +
         (close ? "Connection: close\r\n" : "") + "\r\n");
}

void HttpClient::fill()
{
    std::array<char, 4096> chunk;
    const auto size = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
    if (size < 0)
        sys::throw_last_error("recv");
    if (size == 0)
        throw std::runtime_error{"the answer was cut short: \"" + buffer_ + "\""};
    buffer_.append(chunk.data(), static_cast<std::size_t>(size));
}

std::string HttpClient::read_line()
{
    while (buffer_.find('\n') == std::string::npos)
        fill();
    const auto end = buffer_.find('\n');
    auto line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    return line;
}

HttpAnswer HttpClient::read_answer()
{
    auto end = buffer_.find("\r\n\r\n");
    for (; end == std::string::npos; end = buffer_.find("\r\n\r\n"))
        fill();

    HttpAnswer answer{.head = buffer_.substr(0, end + 2), .body = {}};
    const auto length = std::stoul("0" + answer.header("Content-Length"));
    while (buffer_.size() < end + 4 + length)
        fill();
    answer.body = buffer_.substr(end + 4, length);
    buffer_.erase(0, end + 4 + length);
    return answer;
}

bool HttpClient::has_answer() const
{
    pollfd entry{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, 0) == 1;
}

bool HttpClient::sees_end(std::chrono::milliseconds within)
{
    pollfd entry{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    char byte = 0;
    return ::poll(&entry, 1, static_cast<int>(within.count())) == 1 &&
           ::recv(socket_.get(), &byte, 1, 0) == 0;
}

HttpAnswer get(std::uint16_t port, std::string_view target)
{
    HttpClient client{port};
    client.send_get(target);
    return client.read_answer();
}

} // namespace usher::test
