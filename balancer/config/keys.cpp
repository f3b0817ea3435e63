// SPDX-License-Identifier: MIT
#include "balancer/config/keys.hpp"

#include "balancer/config/tables.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace usher {

bool keeps_workers(const ResolvedPool& now, const ResolvedPool& next)
{
    bool changes = false;
    // Names may stand for others than before, a link may lead elsewhere, and a file may say
    // something else.
    bool keeps = now.account == next.account && now.file_env == next.file_env &&
                 now.folder == next.folder && now.program_folder == next.program_folder;
    const auto compare = [&](const auto& keys, const auto& before, const auto& after) {
        for (const auto& key : keys) {
            // People change the number by `usher scale`, too, which is no reason to keep the
            // others.
            if (key.name == "node" || key.name == "workers" ||
                key.write(before) == key.write(after))
                continue;
            changes = true;
            keeps = keeps && key.effect != Effect::new_workers;
        }
    };
    compare(pool_table(), now, next);
    compare(node_table(), now.node, next.node);
    return changes && keeps;
}

void bring_in(PoolConfig& running, const PoolConfig& next)
{
    for (const auto& key : pool_table())
        if (key.effect == Effect::running_workers)
            key.copy(running, next);
}

void read_flag(PoolConfig& pool, const std::string& name, const std::string& text)
{
    auto key = name;
    std::ranges::replace(key, '-', '_');
    nlohmann::json json = text;
    if (text.find_first_not_of("-0123456789") == std::string::npos)
        if (auto number = nlohmann::json::parse(text, nullptr, false); number.is_number())
            json = std::move(number);
    const auto flag = "--" + name;
    const auto found = std::ranges::find(pool_table(), key, &Key<PoolConfig>::name);
    found->read(JsonValue{json, flag}, pool);
}

} // namespace usher
