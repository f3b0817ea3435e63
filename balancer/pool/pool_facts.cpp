// SPDX-License-Identifier: MIT
#include "balancer/pool/pool_facts.hpp"

#include "balancer/pool/pool.hpp"

#include <array>

namespace usher {

PoolState state_of(const PoolFacts& facts) noexcept
{
    if (facts.is_leaving)
        return PoolState::stopping;
    if (facts.ready > 0)
        return PoolState::serving;
    if (facts.coming > 0)
        return PoolState::starting;
    return facts.failed > 0 ? PoolState::failed : PoolState::drained;
}

std::string_view name_of(PoolState state) noexcept
{
    constexpr std::array<std::string_view, 5> names{"starting", "serving", "drained", "failed",
                                                    "stopping"};
    return names[static_cast<std::size_t>(state)];
}

PoolFacts facts_of(const Pool& pool)
{
    PoolFacts facts{.name = pool.config().name,
                    .generation = pool.generation(),
                    .workers = pool.config().workers,
                    .may_lack = pool.config().reload.max_unavailable,
                    .was_ready = pool.was_ever_ready(),
                    .is_leaving = pool.is_stopping()};
    for (const auto& slot : pool.slots()) {
        const bool over = slot->is_over();
        facts.ready += slot->is_ready() && !over ? 1 : 0;
        const bool is_failing = !over && slot->is_failing();
        facts.coming += !slot->is_ready() && !over && !is_failing ? 1 : 0;
        facts.failed += slot->has_failed() || is_failing ? 1 : 0;
        facts.awaited += !slot->was_ready() && !over && !is_failing ? 1 : 0;
        facts.alive += slot->worker() != nullptr ? 1 : 0;
    }
    for (const auto& slot : pool.leaving()) {
        facts.alive += slot->worker() != nullptr ? 1 : 0;
        facts.coming += slot->is_over() ? 0 : 1; // it is on trial
    }
    return facts;
}

} // namespace usher
