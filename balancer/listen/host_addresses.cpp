// SPDX-License-Identifier: MIT
#include "balancer/listen/host_addresses.hpp"

#include "common/text/listen_address.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

#include <netdb.h>

namespace usher {

namespace {

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

} // namespace

HostAddresses::HostAddresses(const ResolvedConfig& config)
{
    for (const auto& pool : config.pools)
        for (const auto& listen : pool.listen) {
            const auto where = parse_listen_address(listen.address);
            if (where.kind != ListenAddress::Kind::host)
                continue;
            const auto [answer, is_new] = answers_.try_emplace(where.host);
            try {
                if (is_new)
                    answer->second.addresses = resolve(where.host, where.port);
            } catch (const std::runtime_error& e) {
                answer->second.failure = e.what();
            }
        }
}

std::vector<sys::SocketAddress> HostAddresses::of(const std::string& host, std::uint16_t port) const
{
    const auto known = answers_.find(host);
    if (known == answers_.end())
        return resolve(host, port);
    auto [addresses, failure] = known->second;
    if (addresses.empty())
        throw std::runtime_error{failure};
    for (auto& address : addresses)
        address.set_port(port);
    return addresses;
}

} // namespace usher
