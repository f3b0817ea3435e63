// SPDX-License-Identifier: MIT
#include "balancer/config/tables.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <map>

namespace usher {

namespace {

constexpr Names<log::Level, 5> level_names{{{log::Level::debug, "debug"},
                                            {log::Level::info, "info"},
                                            {log::Level::warning, "warning"},
                                            {log::Level::error, "error"},
                                            {log::Level::off, "off"}}};

void check(const JsonValue& value, const std::vector<PoolConfig>& pools)
{
    std::map<std::string, std::string> first_use; // of a name: the pool's pointer
    const auto elements = value.elements("");
    for (std::size_t i = 0; i < pools.size(); ++i) {
        const auto [used, is_new] = first_use.emplace(pools[i].name, elements[i].pointer());
        if (!is_new)
            elements[i].fail(fmt::format("is named \"{}\" like {}; give each pool its own \"name\"",
                                         pools[i].name, used->second));
    }
    if (pools.empty())
        value.fail("is empty, but must hold a pool, e.g. [{\"command\": [\"./my-server\"]}]");
}

Codec<std::vector<PoolConfig>> pools()
{
    const auto all = array(object(pool_table(), "an object with \"command\" and \"listen\""),
                           "an array of pools");
    const auto read = [=](const JsonValue& value) {
        auto pools = all.read(value);
        check(value, pools);
        return pools;
    };
    return {read, all.write};
}

} // namespace

const Keys<Config>& config_table()
{
    static const Keys<Config> keys{
        {"log_level", &Config::log_level, choice(level_names), Effect::master},
        {"lame_duck", &Config::lame_duck, duration(), Effect::master},
        {"pools", &Config::pools, pools(), Effect::master},
    };
    return keys;
}

} // namespace usher
