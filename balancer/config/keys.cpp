// SPDX-License-Identifier: MIT
#include "balancer/config/keys.hpp"

#include "balancer/config/tables.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace usher {

namespace {

/// Calls `visit` with the name, the effect and the writer of each key of a pool.
template <typename Visit>
void for_each_key(Visit visit)
{
    for (const auto& key : pool_table()) {
        if (key.name != "node")
            visit(key.name, key.effect, key.write);
        else
            for (const auto& part : node_table())
                visit("node/" + part.name, part.effect,
                      [&](const PoolConfig& pool) { return part.write(pool.node); });
    }
}

} // namespace

std::vector<KeyEffect> pool_keys()
{
    std::vector<KeyEffect> result;
    for_each_key([&](const auto& name, Effect effect, const auto&) {
        result.push_back({name, effect});
    });
    return result;
}

bool keeps_workers(const PoolConfig& now, const PoolConfig& next)
{
    bool changes = false;
    bool keeps = now.run_as.ids == next.run_as.ids; // names may stand for others than before
    for_each_key([&](const auto& name, Effect effect, const auto& write) {
        // People change the number by `usher scale`, too, which is no reason to keep the others.
        if (name == "workers" || write(now) == write(next))
            return;
        changes = true;
        keeps = keeps && effect != Effect::new_workers;
    });
    return changes && keeps;
}

void bring_in(PoolConfig& running, const PoolConfig& next)
{
    for (const auto& key : pool_table())
        if (key.effect == Effect::running_workers)
            key.copy(running, next);
}

void read_flag(PoolConfig& pool, const std::string& key, const std::string& text)
{
    nlohmann::json json = text;
    if (text.find_first_not_of("-0123456789") == std::string::npos)
        if (auto number = nlohmann::json::parse(text, nullptr, false); number.is_number())
            json = std::move(number);
    const auto flag = "--" + key;
    const auto found = std::ranges::find(pool_table(), key, &Key<PoolConfig>::name);
    found->read(JsonValue{json, flag}, pool);
}

} // namespace usher
