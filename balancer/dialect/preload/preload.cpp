// SPDX-License-Identifier: MIT
#include "balancer/dialect/preload/preload.hpp"

#include "balancer/config/units/duration.hpp"
#include "balancer/dialect/preload/preload_library.hpp"
#include "common/scoreboard_page.hpp"
#include "common/sys/syscall.hpp"
#include "common/wire/environment.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <stdexcept>

#include <sys/stat.h>

namespace usher {

namespace {

namespace env = wire::env;

/// One queue has what has the same key.
std::string place_of(const sys::SocketAddress& address)
{
    return address.family() == AF_UNIX ? address.to_string()
                                       : "port " + std::to_string(address.port());
}

std::string describe(int number, int fd)
{
    struct stat status {};
    if (::fstat(fd, &status) < 0)
        sys::throw_last_error("fstat");
    return fmt::format("{}:{}", number, status.st_ino);
}

} // namespace

std::vector<std::uint8_t> assign_queues(const std::vector<sys::SocketAddress>& listeners)
{
    std::vector<std::string> places;
    std::vector<std::uint8_t> queues;
    for (const auto& listener : listeners) {
        const auto place = place_of(listener);
        const auto known = std::ranges::find(places, place);
        queues.push_back(static_cast<std::uint8_t>(known - places.begin()));
        if (known == places.end())
            places.push_back(place);
        if (places.size() > PreloadProgress::most_queues)
            throw std::runtime_error{
                fmt::format("dialect preload takes at most {} ports in a pool; make two pools",
                            PreloadProgress::most_queues)};
    }
    return queues;
}

void add_preload(std::map<std::string, std::string>& environment, const PoolConfig& config,
                 const std::vector<sys::SocketAddress>& listeners,
                 const PreloadDescriptors& descriptors)
{
    const auto queues = assign_queues(listeners);
    std::vector<std::string> sockets;
    int number = descriptors.first_number;
    for (const int queue : descriptors.queues)
        sockets.push_back(describe(number++, queue));

    std::string lines;
    for (std::size_t i = 0; i < listeners.size(); ++i)
        lines += fmt::format("{} {}\n", sockets.at(queues[i]), listeners[i].to_string());
    environment[env::preload_listeners] = lines;
    environment[env::preload_control] = describe(number, descriptors.control);
    environment[env::preload_scoreboard] = describe(number + 1, descriptors.scoreboard);
    environment[env::preload_end] =
        fmt::format("{} {}", config.stop_signal, config.drain_timeout.count());

    auto& preload = environment["LD_PRELOAD"];
    preload = find_preload_library() + (preload.empty() ? "" : ":" + preload);
}

std::string explain_missing(const std::vector<sys::SocketAddress>& listeners,
                            std::uint64_t progress)
{
    if ((progress & PreloadProgress::loaded) == 0)
        return "libusher-preload.so was not loaded into it: is what it runs in the end statically "
               "linked or set-user-id, or was it started with another environment?";

    const auto queues = assign_queues(listeners);
    if (queues.empty() || queues.back() == 0)
        return "it has not listened on any port; if it has, it was started without our environment "
               "or descriptors";
    std::string missing;
    for (std::size_t i = 0; i < listeners.size(); ++i) {
        const auto place = place_of(listeners[i]);
        if ((progress & PreloadProgress::listens(queues[i])) == 0 &&
            missing.find(place) == std::string::npos)
            missing += (missing.empty() ? "" : ", ") + place;
    }
    return "it has not listened on " + missing +
           "; a pool with several listeners needs a program that listens at the same places";
}

} // namespace usher
