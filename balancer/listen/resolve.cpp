// SPDX-License-Identifier: MIT
#include "balancer/listen/resolve.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

#include <netdb.h>

namespace usher {

std::vector<sys::SocketAddress> resolve(const std::string& host, std::uint16_t port)
{
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const int rc = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (rc != 0) {
        const auto reason = rc == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(rc);
        throw std::runtime_error{host + ": cannot be resolved: " + reason};
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};

    std::vector<sys::SocketAddress> result;
    for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
        const sys::SocketAddress address{a->ai_addr, a->ai_addrlen};
        const bool is_new = std::ranges::none_of(
            result, [&](const auto& other) { return other.to_string() == address.to_string(); });
        if (is_new) // /etc/hosts may name one twice
            result.push_back(address);
    }
    return result;
}

} // namespace usher
