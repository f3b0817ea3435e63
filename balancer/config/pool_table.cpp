// SPDX-License-Identifier: MIT
#include "balancer/config/env_file.hpp"
#include "balancer/config/tables.hpp"
#include "balancer/config/units/duration.hpp"
#include "balancer/config/units/limits.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <string_view>

namespace usher {

namespace {

constexpr std::size_t longest_pool_name = 64;
constexpr std::size_t longest_probe_path = 1'024;

bool is_pool_name(std::string_view name)
{
    constexpr std::string_view characters = "abcdefghijklmnopqrstuvwxyz"
                                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789_.-";
    return !name.empty() && name.size() <= longest_pool_name &&
           name.find_first_not_of(characters) == std::string_view::npos;
}

/// It goes into a request line as it is, so nothing in it may end that line or a word of it.
bool is_probe_path(std::string_view path)
{
    return path.starts_with('/') && path.size() <= longest_probe_path &&
           std::ranges::all_of(path, [](char c) { return c > ' ' && c < 0x7f; });
}

Codec<std::vector<std::string>> command()
{
    const auto words =
        array(slot_text(), "an array of strings, e.g. [\"./my-server\", \"--flag\"]");
    const auto read = [=](const JsonValue& value) {
        auto command = words.read(value);
        if (command.empty())
            value.fail("is empty, but must name a program, e.g. [\"./my-server\"]");
        if (command.front().empty())
            value.elements("").front().fail(
                "is empty, but must name a program, e.g. \"./my-server\"");
        return command;
    };
    return or_empty(Codec<std::vector<std::string>>{read, words.write});
}

/// The program of a hook, which is in no slot.
Codec<std::vector<std::string>> hook()
{
    const auto words = array(text(), "an array of strings, e.g. [\"./tell\", \"--mail\"]");
    const auto read = [=](const JsonValue& value) {
        auto command = words.read(value);
        if (!command.empty() && command.front().empty())
            value.elements("").front().fail("is empty, but must name a program, e.g. \"./tell\"");
        return command;
    };
    return or_empty(Codec<std::vector<std::string>>{read, words.write});
}

Codec<HooksConfig> hooks()
{
    using C = HooksConfig;
    return object<C>({
        {"exit", &C::exit, hook()},
        {"failed", &C::failed, hook()},
        {"stalled", &C::stalled, hook()},
    });
}

Codec<unsigned> workers()
{
    const auto must =
        fmt::format("a number from {} to {} or \"auto\"", workers_range.least, workers_range.most);
    return word_or<unsigned>({{0U, "auto"}}, number(workers_range, must), must);
}

void check_variable(std::string_view name, const JsonValue& content)
{
    if (const auto problem = variable_name_problem(name); !problem.empty())
        content.fail(problem);
}

/// One path or several.
Codec<std::vector<std::string>> env_files()
{
    const auto read_path = [](const JsonValue& value) {
        auto path = value.text();
        if (path.empty())
            value.fail("is empty, but must name a file, e.g. \".env\"");
        return path;
    };
    const auto paths = array(Codec<std::string>{read_path, text().write},
                             "a path or an array of paths, e.g. [\".env\"]");
    const auto read = [=](const JsonValue& value) {
        return value.is_string() ? std::vector{read_path(value)} : paths.read(value);
    };
    return {read, paths.write};
}

Codec<ProbeConfig> probe()
{
    using C = ProbeConfig;
    const auto path =
        fmt::format("a path of printable ASCII characters without blanks, at most {} of them, that "
                    "begins with /, e.g. \"/health\"",
                    longest_probe_path);
    const auto check = [](const JsonValue& value, const C& probe) {
        if (probe.path.empty())
            value.fail("has no \"path\"; add one, e.g. \"path\": \"/health\"");
    };
    return object<C>(
        {
            {"path", &C::path, text(is_probe_path, path, path)},
            {"expect", &C::expect, number({200, 599})}, // final HTTP statuses
            {"timeout", &C::timeout, positive_duration()},
        },
        "an object with \"path\"", check);
}

Codec<RestartConfig> restart()
{
    using C = RestartConfig;
    const auto check = [](const JsonValue& value, const C& restart) {
        if (restart.first_delay > restart.longest_delay)
            value.fail(fmt::format(
                "first_delay is {}, but must not be longer than longest_delay, {}",
                format_duration(restart.first_delay), format_duration(restart.longest_delay)));
    };
    return object<C>(
        {
            {"on", &C::on,
             choice<C::On>({{C::On::always, "always"},
                            {C::On::failure, "failure"},
                            {C::On::never, "never"}})},
            {"first_delay", &C::first_delay, positive_duration()},
            {"longest_delay", &C::longest_delay, positive_duration()},
            {"healthy_after", &C::healthy_after, positive_duration()},
            {"give_up_after", &C::give_up_after, number({0, 1'000'000})},
            {"give_up", &C::give_up,
             choice<C::GiveUp>({{C::GiveUp::never, "never"}, {C::GiveUp::exit, "exit"}})},
        },
        "an object", check);
}

Codec<ReloadConfig> reload()
{
    using C = ReloadConfig;
    const auto check = [](const JsonValue& value, const C& reload) {
        if (reload.max_surge == 0 && reload.max_unavailable == 0)
            value.fail("max_surge and max_unavailable are both 0, so that no worker could ever be "
                       "replaced; set one of them");
    };
    return object<C>(
        {
            {"strategy", &C::strategy,
             choice<C::Strategy>(
                 {{C::Strategy::rolling, "rolling"}, {C::Strategy::all_at_once, "all-at-once"}})},
            {"max_surge", &C::max_surge, number({0, 1024})},
            {"max_unavailable", &C::max_unavailable, number({0, 1024})},
            {"soak", &C::soak, duration()},
            {"max_old_generations", &C::max_old_generations, number({1, 64})},
        },
        "an object", check);
}

Codec<BusConfig> bus()
{
    using C = BusConfig;
    const auto name =
        fmt::format("1 to {} letters, digits, dots, hyphens or underscores", longest_pool_name);
    return object<C>(
        {
            {"share", &C::share, or_empty(text(is_pool_name, name))},
            {"max_messages", &C::max_messages, number<std::uint64_t>({1, 10'000'000})},
            {"max_bytes", &C::max_bytes, byte_size({131'072, 4'294'967'295})},
        },
        "an object");
}

Codec<StoreConfig> store()
{
    using C = StoreConfig;
    return object<C>(
        {
            {"max_keys", &C::max_keys, number<std::uint64_t>({1, 10'000'000})},
            {"max_bytes", &C::max_bytes, byte_size({1, 4'294'967'295})},
            {"worker_bytes", &C::worker_bytes, byte_size({1, 4'294'967'295})},
            {"persist", &C::persist, or_empty(text())},
        },
        "an object");
}

Keys<PoolConfig> make_table()
{
    using C = PoolConfig;
    using R = RecycleConfig;
    using enum Effect;
    const auto name =
        fmt::format("1 to {} letters, digits, dots, hyphens or underscores", longest_pool_name);
    Keys<C> keys{
        {"name", &C::name, text(is_pool_name, name)},
        {"command", &C::command, command()},
        {"dialect", &C::dialect, choice(dialect_names)},
        {"node", &C::node, object(node_table())},
        {"share", &C::share, boolean()},
        {"workers", &C::workers, workers(), master},
        {"listen", &C::listen, listen_entries(), listeners},
        {"backlog", &C::backlog, number(backlog_range), listeners},
        {"env_file", &C::env_files, env_files()},
        {"env", &C::env, map(slot_text(), check_variable)},
        {"cwd", &C::cwd, text()},
    };
    add_run_as_keys(keys);
    const Keys<C> more{
        {"max_queue", &C::max_queue, number({1, 65'535}), running_workers},
        {"move_after", &C::move_after, duration(), running_workers},
        {"start_timeout", &C::start_timeout, positive_duration(), running_workers},
        // A worker is told at its start whether its watchdog is heard.
        {"ready", &C::ready,
         choice<Readiness>({{Readiness::automatic, "auto"}, {Readiness::notify, "notify"}}),
         new_workers},
        {"start_delay", &C::start_delay, duration(), running_workers},
        {"probe", &C::probe, probe(), running_workers},
        {"start_attempts", &C::start_attempts, number({1, 1'000'000}), master},
        {"drain_timeout", &C::drain_timeout, duration(), running_workers},
        {"stop_grace", &C::stop_grace, duration(), running_workers},
        {"stop_signal", &C::stop_signal, signal(), running_workers},
        {"stop_scope", &C::stop_scope,
         choice<StopScope>({{StopScope::group, "group"}, {StopScope::leader, "leader"}}),
         running_workers},
        {"stall_timeout", &C::stall_timeout, duration(), running_workers},
        {"hang_signal", &C::hang_signal, signal(), running_workers},
        {"max_connections", at(&C::recycle, &R::max_connections),
         number<std::uint64_t>({0, 4'294'967'295}), running_workers},
        {"max_age", at(&C::recycle, &R::max_age), duration(), running_workers},
        {"max_memory", at(&C::recycle, &R::max_memory), byte_size({0, 4'294'967'295}),
         running_workers},
        {"output", &C::output, output()},
        {"restart", &C::restart, restart(), master},
        {"reload", &C::reload, reload(), master},
        {"watch", &C::watch, watch(), master},
        {"bus", &C::bus, bus()},
        {"store", &C::store, store(), master},
        {"on", &C::hooks, hooks(), master},
    };
    keys.insert(keys.end(), more.begin(), more.end());
    return keys;
}

} // namespace

const Keys<NodeConfig>& node_table()
{
    using C = NodeConfig;
    static const Keys<C> keys{
        {"policy", &C::policy, choice(node_policy_names)},
        {"window", &C::window, number({1, 1024}), Effect::listeners},
        {"ready", &C::ready,
         choice<C::Ready>({{C::Ready::listening, "listening"}, {C::Ready::online, "online"}})},
        {"serialization", &C::serialization, choice(node_serialization_names)},
        {"messages", &C::messages,
         choice<C::Messages>({{C::Messages::show, "show"}, {C::Messages::relay, "relay"}})},
        {"allow_inherited", &C::allow_inherited, boolean(), Effect::listeners},
    };
    return keys;
}

const Keys<PoolConfig>& pool_table()
{
    static const auto keys = make_table();
    return keys;
}

} // namespace usher
