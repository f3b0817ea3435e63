// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_allow_list.hpp"

#include "common/text/listen_address.hpp"
#include "common/text/one_line.hpp"

#include <boost/asio/ip/address.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <tuple>

#include <unistd.h>

namespace usher {

namespace {

/// Those below are root's.
constexpr int first_free_port = 1024;

/// A worker's way of saying a path may differ from the configuration's.
bool same_path(const std::filesystem::path& asked, const std::string& place)
{
    return asked.is_absolute() && asked.lexically_normal() == place;
}

/// Node puts the folder of the worker before the zero byte, and its own name behind that.
bool same_name(std::string_view asked, std::string_view name)
{
    const auto zero = asked.find('\0');
    return zero != std::string_view::npos && !name.empty() && asked.substr(zero + 1) == name;
}

} // namespace

NodeAllowList::NodeAllowList(const ResolvedPool& config, const HostAddresses& names)
    : allow_inherited_{config.node.allow_inherited}
{
    for (const auto& entry : config.listen) {
        const auto where = parse_listen_address(entry.address);
        switch (where.kind) {
        case ListenAddress::Kind::any:
            places_.push_back({.everywhere = true, .port = where.port});
            break;
        case ListenAddress::Kind::host:
            places_.push_back({.hosts = {where.host}, .port = where.port});
            for (const auto& address : names.of(where.host, where.port))
                places_.back().hosts.insert(node::host_of(address));
            break;
        case ListenAddress::Kind::unix_path:
            places_.push_back({.path = std::filesystem::absolute(where.path).lexically_normal()});
            break;
        case ListenAddress::Kind::unix_name:
            places_.push_back({.name = where.name});
            break;
        }
    }
}

std::string NodeAllowList::refusal(const ServerRequest& request, const ResolvedPool& config) const
{
    if (request.fd >= 0 && allow_inherited_)
        return {};
    if (!places_.empty())
        return is_listed(request) ? "" : "\"listen\" does not say so";
    if (!config.account.is_other_user())
        return {};
    if (request.fd >= 0)
        return fmt::format("it runs as user {}; let \"allow_inherited\" of \"node\" say so",
                           quote(config.run_as.user));
    const bool is_low_port = request.port > 0 && request.port < first_free_port;
    if (!request.is_path && !is_low_port)
        return {};
    return fmt::format("it runs as user {}, {}; let \"listen\" say so", quote(config.run_as.user),
                       request.is_path ? "and usher would make the file as another"
                                       : "who may not do that without usher");
}

ServerRequest NodeAllowList::place_of(const ServerRequest& request, bool is_first) const
{
    if (request.fd >= 0 || request.is_path || request.is_datagram() || is_listed(request))
        return request;
    const auto same_port = std::ranges::find_if(places_, [&](const Place& place) {
        return !place.is_unix() && place.port == request.port && place.port != 0;
    });
    const bool is_guess = same_port == places_.end();
    if (is_guess && (!is_first || places_.size() != 1 || places_.front().is_unix()))
        return request;
    const auto& place = is_guess ? places_.front() : *same_port;
    auto result = request;
    result.port = place.port;
    result.address = std::nullopt;
    if (!place.everywhere) {
        // The numbers of a name, which stands among them itself.
        const auto numeric = std::ranges::find_if(place.hosts, [](const std::string& host) {
            boost::system::error_code error;
            std::ignore = boost::asio::ip::make_address(host, error);
            return !error;
        });
        if (numeric == place.hosts.end())
            return request;
        result.address = *numeric;
    }
    return result;
}

bool NodeAllowList::is_listed(const ServerRequest& request) const
{
    if (request.fd >= 0)
        return false;
    return std::ranges::any_of(places_, [&](const Place& place) {
        if (request.is_path || place.is_unix())
            return request.is_path && request.address &&
                   (place.path.empty() ? same_name(*request.address, place.name)
                                       : same_path(*request.address, place.path));
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
    const auto place = !request.address                         ? "port "
                       : address.find(':') != std::string::npos ? '[' + address + "]:"
                                                                : address + ':';
    return fmt::format("{}{}{}", place, request.port, request.is_datagram() ? " (UDP)" : "");
}

} // namespace usher
