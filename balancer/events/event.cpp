// SPDX-License-Identifier: MIT
#include "balancer/events/event.hpp"

#include <array>

namespace usher {

std::string_view name_of(EventKind kind) noexcept
{
    constexpr std::array<std::string_view, event_kinds> names{
        "listening",   "closed",      "accept-failed",  "fork",        "spawn-failed",
        "online",      "probing",     "probe-failed",   "ready",       "disconnect",
        "stalled",     "recycled",    "retired",        "signalled",   "reclaimed",
        "exit",        "back-off",    "gave-up",        "note",        "message",
        "output",      "output-lost", "reload-started", "reload-done", "reload-failed",
        "rolled-back", "scaled",      "stopping",       "stopped"};
    static_assert(!names.back().empty());
    return names[static_cast<std::size_t>(kind)];
}

} // namespace usher
