// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_allow_list.hpp"

#include "common/text/listen_address.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

namespace usher {

namespace {

/// Those below are root's.
constexpr int first_free_port = 1024;

/// The addresses of `host` as Node writes them.
std::set<std::string> numeric_addresses(const std::string& host)
{
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int rc = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    if (rc != 0) {
        const auto* const reason = rc == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(rc);
        throw std::runtime_error{host + ": cannot be resolved: " + reason};
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};

    std::set<std::string> result{host};
    for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
        std::array<char, NI_MAXHOST> name{};
        if (::getnameinfo(a->ai_addr, a->ai_addrlen, name.data(), name.size(), nullptr, 0,
                          NI_NUMERICHOST) == 0)
            result.insert(name.data());
    }
    return result;
}

/// A worker's way of saying a path may differ from the configuration's.
bool same_path(const std::filesystem::path& asked, const std::string& place)
{
    return asked.is_absolute() && asked.lexically_normal() == place;
}

} // namespace

NodeAllowList::NodeAllowList(const PoolConfig& config)
{
    if (const auto& user = config.run_as.ids.user; user && *user != ::geteuid())
        other_user_ = config.run_as.user;
    for (const auto& entry : config.listen) {
        const auto where = parse_listen_address(entry.address);
        switch (where.kind) {
        case ListenAddress::Kind::any:
            places_.push_back({.everywhere = true, .port = where.port});
            break;
        case ListenAddress::Kind::host:
            places_.push_back({.hosts = numeric_addresses(where.host), .port = where.port});
            break;
        case ListenAddress::Kind::unix_path:
            places_.push_back({.path = std::filesystem::absolute(where.path).lexically_normal()});
            break;
        }
    }
}

std::string NodeAllowList::refusal(const ServerRequest& request) const
{
    if (!places_.empty())
        return is_listed(request) ? "" : "\"listen\" does not say so";
    if (other_user_.empty() || request.fd >= 0)
        return {};
    if (request.is_path)
        return fmt::format("it runs as user {}, and usher would make the file as another; let "
                           "\"listen\" say so",
                           quote(other_user_));
    if (request.port > 0 && request.port < first_free_port)
        return fmt::format("it runs as user {}, who may not do that without usher; let \"listen\" "
                           "say so",
                           quote(other_user_));
    return {};
}

bool NodeAllowList::is_listed(const ServerRequest& request) const
{
    if (request.fd >= 0)
        return false;
    return std::ranges::any_of(places_, [&](const Place& place) {
        if (request.is_path || !place.path.empty())
            return request.is_path && request.address && !place.path.empty() &&
                   same_path(*request.address, place.path);
        return request.port == place.port &&
               (place.everywhere || place.hosts.contains(request.address.value_or("::")));
    });
}

std::string describe(const ServerRequest& request)
{
    if (request.fd >= 0)
        return fmt::format("descriptor {}", request.fd);
    constexpr std::size_t longest = 200; // a worker may ask for what it likes
    const auto address = printable(request.address.value_or(""), longest);
    if (request.is_path)
        return "unix:" + address;
    const auto* const protocol = request.kind == ServerRequest::Kind::stream ? "" : " (UDP)";
    if (!request.address)
        return fmt::format("port {}{}", request.port, protocol);
    const bool v6 = address.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}{}", v6 ? "[" : "", address, v6 ? "]" : "", request.port,
                       protocol);
}

} // namespace usher
