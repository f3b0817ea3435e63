// SPDX-License-Identifier: MIT
#include "balancer/worker/recycle_policy.hpp"

#include "balancer/config/units/duration.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace usher {

namespace {

/// A limit never becomes 0, which would mean that there is none.
template <typename Number>
Number moved(Number limit, double factor) noexcept
{
    if (limit == 0)
        return 0;
    return std::max(Number{1},
                    static_cast<Number>(std::llround(static_cast<double>(limit) * factor)));
}

/// To the millisecond only where that matters.
std::string age_text(std::chrono::milliseconds age)
{
    using namespace std::chrono_literals;
    return format_duration(age < 10s ? age : std::chrono::floor<std::chrono::seconds>(age));
}

} // namespace

RecyclePolicy::RecyclePolicy(RecycleConfig limits, double dice) noexcept
    : factor_{1.0 + std::clamp(dice, -1.0, 1.0) / 10}
{
    set_limits(limits);
}

void RecyclePolicy::set_limits(RecycleConfig limits) noexcept
{
    limits_ = {.max_connections = moved(limits.max_connections, factor_),
               .max_age = std::chrono::milliseconds{moved(limits.max_age.count(), factor_)},
               .max_memory = moved(limits.max_memory, factor_)};
}

std::string RecyclePolicy::look(const Facts& facts) const
{
    if (limits_.max_connections > 0 && facts.connections >= limits_.max_connections)
        return fmt::format("it was given {} connections", facts.connections);
    if (limits_.max_age.count() > 0 && facts.age >= limits_.max_age)
        return fmt::format("it is {} old", age_text(facts.age));
    if (limits_.max_memory > 0 && facts.memory >= limits_.max_memory)
        return fmt::format("it has {} MiB of memory", facts.memory / (1024 * 1024));
    return {};
}

} // namespace usher
