// SPDX-License-Identifier: MIT
#include "balancer/config/load.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/json/json_text.hpp"
#include "balancer/config/json/json_value.hpp"
#include "balancer/config/tables.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <string>
#include <utility>

namespace usher {

namespace {

constexpr std::string_view example =
    R"({"pools": [{"command": ["./my-server"], "listen": "8000"}]})";

} // namespace

Config load_config(const std::filesystem::path& file, FileKind kind)
{
    return decode_config(read_trusted_file(file, kind), file.string());
}

std::optional<std::string> own_variable(const std::string& name)
{
    const char* const value = std::getenv(name.c_str());
    return value != nullptr ? std::optional<std::string>{value} : std::nullopt;
}

Config decode_config(std::string_view text, std::string_view file_name, VariableLookup variables)
{
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
        throw ConfigError{file_name, "", fmt::format("is empty; begin with {}", example)};

    const nlohmann::json document = parse_json(text, file_name);
    const JsonValue::Variables context{.value_of = std::move(variables), .text = text};
    const JsonValue root{document, file_name, &context};

    std::string schema; // is for editors
    auto keys = config_table();
    keys.emplace_back(
        "$schema", [&](const Config&) -> auto& { return schema; }, usher::text());
    auto config = read_object(root, keys, "an object with \"pools\"");
    if (config.pools.empty())
        root.fail(fmt::format("has no \"pools\"; begin with {}", example));
    return config;
}

std::string dump_config(const Config& config)
{
    return write_object(config, config_table()).dump(2, ' ', false, Json::error_handler_t::replace);
}

} // namespace usher
