// SPDX-License-Identifier: MIT
#include "balancer/dispatch/worker_page.hpp"

#include <algorithm>

namespace usher {

std::chrono::steady_clock::time_point WorkerPage::heartbeat() const noexcept
{
    const auto stamp = board_.page().heartbeat.load(std::memory_order_relaxed);
    // The worker writes it, so it may be anything: a time to come is not later than now.
    const auto limit = monotonic_nanoseconds();
    return std::chrono::steady_clock::time_point{
        std::chrono::nanoseconds{static_cast<std::int64_t>(std::min(stamp, limit))}};
}

std::string_view WorkerPage::audit(std::uint64_t sent) noexcept
{
    if (!board_.is_intact())
        return "overwrote the head of its scoreboard";

    // Closed before accepted: a connection that is taken and closed between the two loads then
    // cannot make an honest page look wrong.
    const auto closed = board_.page().closed.load(std::memory_order_acquire);
    const auto taken = accepted();
    if (taken > sent)
        return "counts more connections on its scoreboard than it was given";
    if (taken < audited_accepted_ || closed < audited_closed_)
        return "counts backwards on its scoreboard";
    if (closed > taken)
        return "counts more closed than accepted connections on its scoreboard";

    audited_accepted_ = taken;
    audited_closed_ = closed;
    return {};
}

} // namespace usher
