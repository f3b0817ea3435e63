// SPDX-License-Identifier: MIT
#include "balancer/worker/recycle_policy.hpp"

#include "balancer/config/units/duration.hpp"
#include "common/text/counted.hpp"

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

RecyclePolicy::RecyclePolicy(const RecycleConfig& config, double dice) noexcept
    : config_{config}, factor_{1.0 + std::clamp(dice, -1.0, 1.0) / 10}
{
}

RecycleConfig RecyclePolicy::limits() const noexcept
{
    return {.max_connections = moved(config_.max_connections, factor_),
            .max_age = std::chrono::milliseconds{moved(config_.max_age.count(), factor_)},
            .max_memory = moved(config_.max_memory, factor_)};
}

std::string RecyclePolicy::look(const Facts& facts) const
{
    const auto limits = this->limits();
    if (limits.max_connections > 0 && facts.connections >= limits.max_connections)
        return "it was given " + counted(facts.connections, "connection");
    if (limits.max_age.count() > 0 && facts.age >= limits.max_age)
        return fmt::format("it is {} old", age_text(facts.age));
    if (has_too_much(facts.memory) && facts.age >= facts.memory_patience)
        return fmt::format("it has {} MiB of memory", facts.memory / 1024 / 1024);
    return {};
}

bool RecyclePolicy::has_too_much(std::uint64_t memory) const noexcept
{
    const auto limit = limits().max_memory;
    return limit > 0 && memory >= limit;
}

} // namespace usher
