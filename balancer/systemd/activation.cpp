// SPDX-License-Identifier: MIT
#include "balancer/systemd/activation.hpp"

#include "balancer/events/event_source.hpp"
#include "balancer/systemd/libsystemd.hpp"

#include <cstdlib>
#include <utility>

namespace usher::systemd {

namespace {

void warn(EventBus& events, const std::string& text)
{
    EventSource{events}.publish(EventKind::note, log::Level::warning, text);
}

} // namespace

InheritedSockets take_sockets(const std::vector<ListenConfig>& listeners, EventBus& events)
{
    InheritedSockets sockets;
    for (auto& passed : take_descriptors())
        sockets.add(std::move(passed.fd), std::move(passed.name));
    for (auto& problem : sockets.assign(listeners))
        warn(events, problem);
    return sockets;
}

void warn_without_libsystemd(EventBus& events)
{
    if (is_built_in())
        return;
    for (const char* const name : {"NOTIFY_SOCKET", "LISTEN_FDS"})
        if (std::getenv(name) != nullptr)
            warn(events, std::string{name} +
                             " is set, but this usher was built without libsystemd and ignores "
                             "it; install libsystemd-dev and build it again");
}

} // namespace usher::systemd
