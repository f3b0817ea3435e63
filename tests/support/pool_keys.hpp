// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/tables.hpp"

#include <string>
#include <utility>
#include <vector>

namespace usher::test {

/// All keys of a pool and what a reload does with them, in the order of `--dump`; inside `node`:
/// `node/window`.
inline std::vector<std::pair<std::string, Effect>> pool_keys()
{
    std::vector<std::pair<std::string, Effect>> result;
    for (const auto& key : pool_table()) {
        if (key.name != "node")
            result.emplace_back(key.name, key.effect);
        else
            for (const auto& part : node_table())
                result.emplace_back("node/" + part.name, part.effect);
    }
    return result;
}

} // namespace usher::test
