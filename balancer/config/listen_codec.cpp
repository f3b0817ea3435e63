// SPDX-License-Identifier: MIT
#include "balancer/config/tables.hpp"
#include "common/text/listen_address.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <tuple>

namespace usher {

namespace {

bool is_of(const ListenConfig& listen, ListenAddress::Kind kind)
{
    return parse_listen_address(listen.address).kind == kind;
}

bool is_unix(const ListenConfig& listen)
{
    return is_of(listen, ListenAddress::Kind::unix_path) ||
           is_of(listen, ListenAddress::Kind::unix_name);
}

std::string read_address(const JsonValue& value)
{
    return value.parsed([](const std::string& text) {
        std::ignore = parse_listen_address(text);
        return text;
    });
}

constexpr std::size_t longest_listener_name = 255; // as systemd has it

/// As FileDescriptorName= of systemd.socket(5) takes it, because it must be equal to one.
bool is_name(std::string_view name)
{
    const auto is_good = [](unsigned char c) { return c >= ' ' && c <= '~' && c != ':'; };
    return !name.empty() && name.size() <= longest_listener_name &&
           std::ranges::all_of(name, is_good);
}

void check(const JsonValue& value, const ListenConfig& listen)
{
    using Kind = ListenAddress::Kind;
    if (listen.address.empty())
        value.fail("has no \"address\"; add one, e.g. \"address\": \"127.0.0.1:8000\"");
    if (const auto v6only = value.find("v6only"); v6only && is_unix(listen))
        v6only->fail("is for TCP addresses only; remove it");
    for (const char* const key : {"mode", "owner", "group"})
        if (const auto found = value.find(key); found && !is_of(listen, Kind::unix_path))
            found->fail(is_of(listen, Kind::unix_name)
                            ? "is for a socket's file, and this has none, so that anybody may "
                              "connect; remove it, or take a path"
                            : "is for unix: addresses only; remove it");
}

Codec<ListenConfig> listener()
{
    const auto must =
        fmt::format("1 to {} printable ASCII characters other than a colon", longest_listener_name);
    const auto codec = object<ListenConfig>(
        {
            {"address", &ListenConfig::address, Codec<std::string>{read_address, text().write}},
            {"name", &ListenConfig::name, or_empty(text(is_name, must))},
            {"v6only", &ListenConfig::v6only, boolean()},
            {"mode", &ListenConfig::mode, mode_bits("0660")},
            {"owner", &ListenConfig::owner, or_empty(account())},
            {"group", &ListenConfig::group, or_empty(account())},
        },
        "an address or an object with \"address\"", check);
    const auto read = [=](const JsonValue& value) {
        return value.is_string() ? ListenConfig{.address = read_address(value)} : codec.read(value);
    };
    return {read, [=](const ListenConfig& listen) {
                auto json = codec.write(listen);
                if (is_unix(listen))
                    json.erase("v6only");
                return json;
            }};
}

} // namespace

Codec<std::vector<ListenConfig>> listen_entries()
{
    const auto one = listener();
    const auto all = array(one, "an address or an array, e.g. [\"8000\"]");
    const auto read = [=](const JsonValue& value) {
        const bool is_one = value.is_string() || value.is_object();
        return is_one ? std::vector{one.read(value)} : all.read(value);
    };
    return {read, all.write};
}

} // namespace usher
