// SPDX-License-Identifier: MIT
#include "balancer/config/keys.hpp"

#include <functional>
#include <iterator>
#include <string_view>
#include <utility>

namespace usher {

namespace {

/// One key of an object of the configuration.
template <typename Owner>
struct Key {
    std::string name;
    Effect effect;
    std::function<bool(const Owner&, const Owner&)> is_same;
    std::function<void(Owner& to, const Owner& from)> copy;
};

template <typename Owner, typename Field>
Key<Owner> key(std::string name, Field Owner::*field, Effect effect)
{
    return {.name = std::move(name),
            .effect = effect,
            .is_same = [field](const Owner& a, const Owner& b) { return a.*field == b.*field; },
            .copy = [field](Owner& to, const Owner& from) { to.*field = from.*field; }};
}

/// The keys of a part as keys of the whole.
template <typename Owner, typename Part>
std::vector<Key<Owner>> within(Part Owner::*part, const std::vector<Key<Part>>& keys,
                               std::string_view prefix = {})
{
    std::vector<Key<Owner>> result;
    for (const auto& key : keys)
        result.push_back(
            {.name = std::string{prefix} + key.name,
             .effect = key.effect,
             .is_same = [part, is_same = key.is_same](
                            const Owner& a, const Owner& b) { return is_same(a.*part, b.*part); },
             .copy = [part, copy = key.copy](Owner& to,
                                             const Owner& from) { copy(to.*part, from.*part); }});
    return result;
}

std::vector<Key<PoolConfig>> pool_table()
{
    using enum Effect;
    const std::vector<Key<NodeConfig>> node{
        key("policy", &NodeConfig::policy, new_workers),
        key("window", &NodeConfig::window, listeners),
        key("ready", &NodeConfig::ready, new_workers),
        key("serialization", &NodeConfig::serialization, new_workers),
    };
    const std::vector<Key<RunAsConfig>> run_as{
        key("user", &RunAsConfig::user, new_workers),
        key("group", &RunAsConfig::group, new_workers),
        key("groups", &RunAsConfig::groups, new_workers),
        key("umask", &RunAsConfig::umask, new_workers),
        key("rlimits", &RunAsConfig::rlimits, new_workers),
        key("nice", &RunAsConfig::nice, new_workers),
        key("oom_score_adj", &RunAsConfig::oom_score_adj, new_workers),
        key("cpu_affinity", &RunAsConfig::cpu_affinity, new_workers),
        key("no_new_privs", &RunAsConfig::no_new_privs, new_workers),
        key("cgroup", &RunAsConfig::cgroup, new_workers),
        key("clear_env", &RunAsConfig::clear_env, new_workers),
    };
    const std::vector<Key<RecycleConfig>> recycle{
        key("max_connections", &RecycleConfig::max_connections, running_workers),
        key("max_age", &RecycleConfig::max_age, running_workers),
        key("max_memory", &RecycleConfig::max_memory, running_workers),
    };

    std::vector<Key<PoolConfig>> pool;
    const auto add = [&pool](std::vector<Key<PoolConfig>> keys) {
        pool.insert(pool.end(), std::make_move_iterator(keys.begin()),
                    std::make_move_iterator(keys.end()));
    };
    add({
        key("name", &PoolConfig::name, new_workers),
        key("command", &PoolConfig::command, new_workers),
        key("dialect", &PoolConfig::dialect, new_workers),
    });
    add(within(&PoolConfig::node, node, "node/"));
    add({
        key("share", &PoolConfig::share, new_workers),
        key("workers", &PoolConfig::workers, master),
        key("listen", &PoolConfig::listen, listeners),
        key("backlog", &PoolConfig::backlog, listeners),
        key("env", &PoolConfig::env, new_workers),
        key("cwd", &PoolConfig::cwd, new_workers),
    });
    add(within(&PoolConfig::run_as, run_as));
    add({
        key("max_queue", &PoolConfig::max_queue, running_workers),
        key("start_timeout", &PoolConfig::start_timeout, running_workers),
        key("ready", &PoolConfig::ready, new_workers), // a worker is told to send its watchdog
        key("start_delay", &PoolConfig::start_delay, running_workers),
        key("probe", &PoolConfig::probe, running_workers),
        key("start_attempts", &PoolConfig::start_attempts, master),
        key("drain_timeout", &PoolConfig::drain_timeout, running_workers),
        key("stop_grace", &PoolConfig::stop_grace, running_workers),
        key("stop_signal", &PoolConfig::stop_signal, running_workers),
        key("stall_timeout", &PoolConfig::stall_timeout, running_workers),
        key("hang_signal", &PoolConfig::hang_signal, running_workers),
    });
    add(within(&PoolConfig::recycle, recycle));
    add({
        key("output", &PoolConfig::output, new_workers),
        key("restart", &PoolConfig::restart, master),
        key("reload", &PoolConfig::reload, master),
    });
    return pool;
}

const std::vector<Key<PoolConfig>>& table()
{
    static const auto keys = pool_table();
    return keys;
}

} // namespace

std::vector<KeyEffect> pool_keys()
{
    std::vector<KeyEffect> result;
    for (const auto& key : table())
        result.push_back({key.name, key.effect});
    return result;
}

bool keeps_workers(const PoolConfig& now, const PoolConfig& next)
{
    bool changes = false;
    for (const auto& key : table()) {
        // People change the number by `usher scale`, too, which is no reason to keep the others.
        if (key.name == "workers" || key.is_same(now, next))
            continue;
        if (key.effect == Effect::new_workers)
            return false;
        changes = true;
    }
    return changes;
}

void bring_in(PoolConfig& running, const PoolConfig& next)
{
    for (const auto& key : table())
        if (key.effect == Effect::running_workers)
            key.copy(running, next);
}

} // namespace usher
