// SPDX-License-Identifier: MIT
#include "balancer/config/decode_listen.hpp"

#include "balancer/config/json/octal.hpp"
#include "balancer/config/units/limits.hpp"
#include "balancer/config/units/listen_address.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <tuple>

namespace usher {

namespace {

bool decode_boolean(const JsonValue& value)
{
    return value.boolean();
}

std::string decode_address(const JsonValue& value)
{
    std::string text = value.text();
    try {
        std::ignore = parse_listen_address(text);
    } catch (const std::invalid_argument& error) {
        value.fail(error.what());
    }
    return text;
}

/// As FileDescriptorName= of systemd.socket(5) takes it, because it must be equal to one.
std::string decode_name(const JsonValue& value)
{
    std::string name = value.text();
    const bool is_good =
        std::ranges::all_of(name, [](unsigned char c) { return c >= ' ' && c <= '~' && c != ':'; });
    if (name.empty() || name.size() > longest_listener_name || !is_good)
        value.refuse(fmt::format("1 to {} printable ASCII characters other than a colon",
                                 longest_listener_name));
    return name;
}

unsigned decode_mode(const JsonValue& value)
{
    return decode_octal(value, "an octal string from \"0\" to \"0777\", e.g. \"0660\"");
}

ListenConfig decode_listener(const JsonValue& value)
{
    ListenConfig listen;
    if (value.is_string()) {
        listen.address = decode_address(value);
        return listen;
    }

    value.read_members(
        {
            {"address", into(listen.address, decode_address)},
            {"name", into(listen.name, decode_name)},
            {"v6only", into(listen.v6only, decode_boolean)},
            {"mode", into(listen.mode, decode_mode)},
        },
        "an address or an object with \"address\"");
    if (listen.address.empty())
        value.fail("has no \"address\"; add one, e.g. \"address\": \"127.0.0.1:8000\"");

    const bool is_unix =
        parse_listen_address(listen.address).kind == ListenAddress::Kind::unix_path;
    if (const auto v6only = value.find("v6only"); v6only && is_unix)
        v6only->fail("is for TCP addresses only; remove it");
    if (const auto mode = value.find("mode"); mode && !is_unix)
        mode->fail("is for unix: addresses only; remove it");
    return listen;
}

} // namespace

std::vector<ListenConfig> decode_listen(const JsonValue& value)
{
    if (value.is_string() || value.is_object())
        return {decode_listener(value)};

    std::vector<ListenConfig> listen;
    for (const JsonValue& element : value.elements("an address or an array, e.g. [\"8000\"]"))
        listen.push_back(decode_listener(element));
    return listen;
}

} // namespace usher
