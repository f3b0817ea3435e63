// SPDX-License-Identifier: MIT
#include "balancer/process/run_as.hpp"

#include "balancer/config/units/resource_name.hpp"
#include "common/sys/process/cpus.hpp"

#include <span>

namespace usher {

namespace {

rlim_t to_amount(std::uint64_t amount)
{
    return amount == LimitConfig::unlimited ? RLIM_INFINITY : static_cast<rlim_t>(amount);
}

std::vector<unsigned long> cpu_mask(const AffinityConfig& affinity, unsigned slot)
{
    if (!affinity.by_slot)
        return sys::make_cpu_mask(affinity.cpus);

    const auto usable = sys::own_cpus();
    if (usable.empty())
        return {};
    const unsigned own = usable[(slot - 1) % usable.size()];
    return sys::make_cpu_mask(std::span{&own, 1});
}

} // namespace

RunAs make_run_as(const RunAsConfig& config, unsigned slot)
{
    RunAs run_as{
        .config = config,
        .limits = {},
        .oom_score_adj = config.oom_score_adj ? std::to_string(*config.oom_score_adj) : "",
        .cpu_mask = cpu_mask(config.cpu_affinity, slot),
    };
    for (const auto& [name, limit] : config.rlimits) {
        if (const auto resource = value_of(resource_names, name))
            run_as.limits.push_back(
                {.name = name,
                 .resource = *resource,
                 .value = {.rlim_cur = to_amount(limit.soft), .rlim_max = to_amount(limit.hard)}});
    }
    return run_as;
}

} // namespace usher
