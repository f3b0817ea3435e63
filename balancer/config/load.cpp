// SPDX-License-Identifier: MIT
#include "balancer/config/load.hpp"

#include "balancer/config/decode_pool.hpp"
#include "balancer/config/json/config_error.hpp"
#include "balancer/config/json/decode_duration.hpp"
#include "balancer/config/json/json_text.hpp"
#include "balancer/config/json/json_value.hpp"
#include "balancer/config/units/limits.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <fstream>
#include <map>
#include <string>
#include <system_error>
#include <tuple>

namespace usher {

namespace {

constexpr std::string_view example =
    R"({"pools": [{"command": ["./my-server"], "listen": "8000"}]})";

std::string read_file(const std::filesystem::path& file)
{
    const auto fail = [&file] {
        throw ConfigError{file.string(), "",
                          "cannot be read: " + std::generic_category().message(errno)};
    };

    errno = 0;
    std::ifstream in{file, std::ios::binary};
    if (!in)
        fail();

    // One byte more than may be there, to see that it is too long.
    std::string text(largest_file + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad())
        fail();

    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > largest_file)
        throw ConfigError{
            file.string(), "",
            fmt::format("is larger than {} KiB; make it smaller", largest_file / 1024)};
    return text;
}

std::vector<PoolConfig> decode_pools(const JsonValue& value)
{
    std::vector<PoolConfig> pools;
    std::map<std::string, std::string> first_use; // of a name: the pool's pointer
    for (const JsonValue& element : value.elements("an array of pools")) {
        PoolConfig pool = decode_pool(element);
        const auto [used, is_new] = first_use.emplace(pool.name, element.pointer());
        if (!is_new)
            element.fail(fmt::format("is named \"{}\" like {}; give each pool its own \"name\"",
                                     pool.name, used->second));
        pools.push_back(std::move(pool));
    }

    if (pools.empty())
        value.fail("is empty, but must hold a pool, e.g. [{\"command\": [\"./my-server\"]}]");
    return pools;
}

log::Level decode_log_level(const JsonValue& value)
{
    const auto level = log::level_of(value.text());
    if (!level)
        value.refuse("\"debug\", \"info\", \"warning\", \"error\" or \"off\"");
    return *level;
}

} // namespace

Config load_config(const std::filesystem::path& file)
{
    return decode_config(read_file(file), file.string());
}

Config decode_config(std::string_view text, std::string_view file_name)
{
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
        throw ConfigError{file_name, "", fmt::format("is empty; begin with {}", example)};

    const nlohmann::json document = parse_json(text, file_name);
    const JsonValue root{document, file_name};

    Config config;
    root.read_members(
        {
            {"$schema", [](const JsonValue& value) { std::ignore = value.text(); }},
            {"log_level", into(config.log_level, decode_log_level)},
            {"lame_duck", into(config.lame_duck, decode_duration)},
            {"pools", into(config.pools, decode_pools)},
        },
        "an object with \"pools\"");
    if (config.pools.empty())
        root.fail(fmt::format("has no \"pools\"; begin with {}", example));
    return config;
}

} // namespace usher
