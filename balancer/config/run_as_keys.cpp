// SPDX-License-Identifier: MIT
#include "balancer/config/tables.hpp"
#include "balancer/config/units/limits.hpp"
#include "balancer/config/units/resource_name.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <memory>
#include <string>
#include <string_view>

#include <sys/capability.h>

namespace usher {

namespace {

/// Kept as text: whether it is a name or a number is for the lookup.
std::string read_account(const JsonValue& value)
{
    constexpr std::string_view must = "a name or a number, e.g. \"www-data\" or 33";
    if (!value.is_string())
        return std::to_string(value.integer(0, largest_account_id, must));
    auto name = value.text();
    if (name.empty())
        value.refuse(must);
    return name;
}

Codec<LimitConfig> limit()
{
    const std::string must = "a whole number from 0 or \"unlimited\"";
    const auto amount = word_or<std::uint64_t>(
        {{LimitConfig::unlimited, "unlimited"}},
        number<std::uint64_t>({0, std::numeric_limits<std::int64_t>::max()}, must), must);
    const auto check = [](const JsonValue& value, const LimitConfig& limit) {
        if (!value.find("soft") || !value.find("hard"))
            value.fail("must have both, \"soft\" and \"hard\"; or write one number for both");
        if (limit.soft > limit.hard)
            value.fail("has a \"soft\" above its \"hard\"; make it lower");
    };
    const auto both = object<LimitConfig>(
        {{"soft", &LimitConfig::soft, amount}, {"hard", &LimitConfig::hard, amount}},
        "an object with \"soft\" and \"hard\"", check);
    const auto read = [=](const JsonValue& value) {
        if (value.is_object())
            return both.read(value);
        const auto number = amount.read(value);
        return LimitConfig{.soft = number, .hard = number};
    };
    return {read, both.write};
}

void check_resource(std::string_view name, const JsonValue& limit)
{
    std::vector<std::string_view> known;
    for (const auto& resource : resource_names)
        known.push_back(resource.name);
    if (std::ranges::find(known, name) == known.end())
        limit.refuse_name("limit", name, known);
}

Codec<AffinityConfig> affinity()
{
    const std::string must = "\"auto\" or an array of CPU numbers, e.g. [0, 1]";
    const auto cpus = array(number({0, 8191}), must); // the most that Linux can be built for
    const auto read = [=](const JsonValue& value) {
        AffinityConfig listed{.cpus = cpus.read(value)};
        if (listed.cpus.empty())
            value.fail("is empty, but must hold a CPU number; or leave it out");
        return listed;
    };
    const auto write = [=](const AffinityConfig& affinity) {
        return affinity.cpus.empty() ? Json{} : cpus.write(affinity.cpus);
    };
    return word_or<AffinityConfig>({{{.by_slot = true}, "auto"}}, {read, write}, must);
}

Codec<unsigned> capability()
{
    const auto read = [](const JsonValue& value) {
        cap_value_t number = 0;
        if (::cap_from_name(value.text().c_str(), &number) < 0)
            value.refuse("the name of a capability, e.g. \"CAP_NET_BIND_SERVICE\"");
        return static_cast<unsigned>(number);
    };
    return {read, [](unsigned number) {
                const std::unique_ptr<char, int (*)(void*)> name{
                    ::cap_to_name(static_cast<cap_value_t>(number)), ::cap_free};
                std::string upper{name.get()};
                std::ranges::transform(upper, upper.begin(), ::toupper);
                return Json(upper);
            }};
}

} // namespace

Codec<std::string> account()
{
    return {read_account, text().write};
}

void add_run_as_keys(Keys<PoolConfig>& keys)
{
    using C = RunAsConfig;
    constexpr auto several = "an array of capabilities, e.g. [\"CAP_NET_RAW\"]";
    const auto add = [&keys](std::string name, auto member, auto codec) {
        keys.emplace_back(std::move(name), at(&PoolConfig::run_as, member), std::move(codec));
    };
    add("user", &C::user, or_empty(account()));
    add("group", &C::group, or_empty(account()));
    add("groups", &C::groups,
        array(account(), "an array of names or numbers, e.g. [\"ssl-cert\"]"));
    add("umask", &C::umask, mode_bits("0027"));
    add("rlimits", &C::rlimits, map(limit(), check_resource));
    add("nice", &C::nice, number<int>({-20, 19}));
    add("oom_score_adj", &C::oom_score_adj, number<int>({-1000, 1000}));
    add("cpu_affinity", &C::cpu_affinity, affinity());
    add("no_new_privs", &C::no_new_privs, boolean());
    add("ambient_capabilities", &C::ambient_capabilities, array(capability(), several));
    add("cgroup", &C::cgroup,
        choice<CgroupMode>(
            {{CgroupMode::automatic, "auto"}, {CgroupMode::on, "on"}, {CgroupMode::off, "off"}}));
    add("clear_env", &C::clear_env, boolean());
}

} // namespace usher
