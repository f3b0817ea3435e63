// SPDX-License-Identifier: MIT
#include "balancer/config/decode_run_as.hpp"

#include "balancer/config/json/nearest_name.hpp"
#include "balancer/config/json/octal.hpp"
#include "balancer/config/units/limits.hpp"
#include "balancer/config/units/resource_name.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace usher {

namespace {

bool decode_boolean(const JsonValue& value)
{
    return value.boolean();
}

auto integer_in(SignedRange range)
{
    return [range](const JsonValue& value) {
        return static_cast<int>(value.integer(range.least, range.most));
    };
}

/// Kept as text: whether it is a name or a number is for the lookup.
std::string decode_account(const JsonValue& value)
{
    constexpr std::string_view must = "a name or a number, e.g. \"www-data\" or 33";
    if (!value.is_string())
        return std::to_string(value.integer(0, largest_account_id, must));
    std::string name = value.text();
    if (name.empty())
        value.refuse(must);
    return name;
}

std::vector<std::string> decode_groups(const JsonValue& value)
{
    std::vector<std::string> groups;
    for (const JsonValue& group :
         value.elements("an array of names or numbers, e.g. [\"ssl-cert\"]"))
        groups.push_back(decode_account(group));
    return groups;
}

unsigned decode_umask(const JsonValue& value)
{
    return decode_octal(value, "an octal string from \"0\" to \"0777\", e.g. \"0027\"");
}

std::uint64_t decode_amount(const JsonValue& value)
{
    constexpr std::string_view must = "a whole number from 0 or \"unlimited\"";
    if (!value.is_string())
        return static_cast<std::uint64_t>(value.integer(0, largest_amount, must));
    if (value.text() != "unlimited")
        value.refuse(must);
    return LimitConfig::unlimited;
}

LimitConfig decode_limit(const JsonValue& value)
{
    if (!value.is_object()) {
        const auto amount = decode_amount(value);
        return {.soft = amount, .hard = amount};
    }

    LimitConfig limit;
    value.read_members(
        {
            {"soft", into(limit.soft, decode_amount)},
            {"hard", into(limit.hard, decode_amount)},
        },
        "an object with \"soft\" and \"hard\"");
    if (!value.find("soft") || !value.find("hard"))
        value.fail("must have both, \"soft\" and \"hard\"; or write one number for both");
    if (limit.soft > limit.hard)
        value.fail("has a \"soft\" above its \"hard\"; make it lower");
    return limit;
}

std::map<std::string, LimitConfig> decode_rlimits(const JsonValue& value)
{
    std::vector<std::string_view> known;
    for (const auto& resource : resource_names)
        known.push_back(resource.name);

    std::map<std::string, LimitConfig> limits;
    for (const auto& [name, limit] : value.entries()) {
        if (std::ranges::find(known, name) == known.end()) {
            const auto nearest = nearest_name(name, known);
            limit.fail(nearest.empty()
                           ? fmt::format("unknown limit; use one of {}", fmt::join(known, ", "))
                           : fmt::format("unknown limit; did you mean \"{}\"?", nearest));
        }
        limits.emplace(name, decode_limit(limit));
    }
    return limits;
}

AffinityConfig decode_affinity(const JsonValue& value)
{
    constexpr std::string_view must = "\"auto\" or an array of CPU numbers, e.g. [0, 1]";
    AffinityConfig affinity;
    if (value.is_string()) {
        if (value.text() != "auto")
            value.refuse(must);
        affinity.by_slot = true;
        return affinity;
    }
    for (const JsonValue& cpu : value.elements(must))
        affinity.cpus.push_back(cpu.number(cpu_range));
    if (affinity.cpus.empty())
        value.fail("is empty, but must hold a CPU number; or leave it out");
    return affinity;
}

CgroupMode decode_cgroup(const JsonValue& value)
{
    const auto text = value.text();
    if (text == "auto")
        return CgroupMode::automatic;
    if (text == "on")
        return CgroupMode::on;
    if (text == "off")
        return CgroupMode::off;
    value.refuse("\"auto\", \"on\" or \"off\"");
}

} // namespace

std::vector<JsonValue::Member> run_as_members(RunAsConfig& run_as)
{
    return {
        {"user", into(run_as.user, decode_account)},
        {"group", into(run_as.group, decode_account)},
        {"groups", into(run_as.groups, decode_groups)},
        {"umask", into(run_as.umask, decode_umask)},
        {"rlimits", into(run_as.rlimits, decode_rlimits)},
        {"nice", into(run_as.nice, integer_in(nice_range))},
        {"oom_score_adj", into(run_as.oom_score_adj, integer_in(oom_score_adj_range))},
        {"cpu_affinity", into(run_as.cpu_affinity, decode_affinity)},
        {"no_new_privs", into(run_as.no_new_privs, decode_boolean)},
        {"cgroup", into(run_as.cgroup, decode_cgroup)},
        {"clear_env", into(run_as.clear_env, decode_boolean)},
    };
}

} // namespace usher
