// SPDX-License-Identifier: MIT
#include "balancer/config/tables.hpp"
#include "balancer/config/units/log_format.hpp"

#include <nlohmann/json.hpp>

namespace usher {

namespace {

Codec<std::vector<PoolConfig>> pools()
{
    const auto all = array(object(pool_table(), "an object with \"command\" and \"listen\""),
                           "an array of pools");
    const auto read = [=](const JsonValue& value) {
        auto pools = all.read(value);
        if (pools.empty())
            value.fail("is empty, but must hold a pool, e.g. [{\"command\": [\"./my-server\"]}]");
        return pools;
    };
    return {read, all.write};
}

} // namespace

const Keys<Config>& config_table()
{
    static const Keys<Config> keys{
        {"log_level", &Config::log_level,
         choice<log::Level>({{log::Level::debug, "debug"},
                             {log::Level::info, "info"},
                             {log::Level::warning, "warning"},
                             {log::Level::error, "error"},
                             {log::Level::off, "off"}}),
         Effect::master},
        {"log_format", &Config::log_format, choice(log_format_names), Effect::master},
        {"lame_duck", &Config::lame_duck, duration(), Effect::master},
        {"pools", &Config::pools, pools(), Effect::master},
    };
    return keys;
}

} // namespace usher
