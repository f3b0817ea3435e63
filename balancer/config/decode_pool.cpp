// SPDX-License-Identifier: MIT
#include "balancer/config/decode_pool.hpp"

#include "balancer/config/decode_listen.hpp"
#include "balancer/config/decode_node.hpp"
#include "balancer/config/decode_output.hpp"
#include "balancer/config/decode_probe.hpp"
#include "balancer/config/decode_run_as.hpp"
#include "balancer/config/json/decode_byte_size.hpp"
#include "balancer/config/json/decode_duration.hpp"
#include "balancer/config/units/duration.hpp"
#include "balancer/config/units/limits.hpp"
#include "balancer/config/units/signal_name.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

namespace usher {

namespace {

constexpr std::string_view name_characters = "abcdefghijklmnopqrstuvwxyz"
                                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789_.-";

std::string decode_text(const JsonValue& value)
{
    return value.text();
}

auto number_in(Range range)
{
    return [range](const JsonValue& value) { return value.number(range); };
}

std::string decode_name(const JsonValue& value)
{
    std::string name = value.text();
    if (name.empty() || name.size() > longest_pool_name ||
        name.find_first_not_of(name_characters) != std::string::npos)
        value.refuse(fmt::format("1 to {} letters, digits, dots, hyphens or underscores",
                                 longest_pool_name));
    return name;
}

std::vector<std::string> decode_command(const JsonValue& value)
{
    std::vector<std::string> command;
    for (const JsonValue& word :
         value.elements("an array of strings, e.g. [\"./my-server\", \"--flag\"]")) {
        command.push_back(word.text());
        if (command.front().empty())
            word.fail("is empty, but must name a program, e.g. \"./my-server\"");
    }

    if (command.empty())
        value.fail("is empty, but must name a program, e.g. [\"./my-server\"]");
    return command;
}

Dialect decode_dialect(const JsonValue& value)
{
    const auto dialect = dialect_from(value.text(dialect_choice));
    if (!dialect)
        value.refuse(dialect_choice);
    return *dialect;
}

bool decode_share(const JsonValue& value)
{
    return value.boolean();
}

Readiness decode_ready(const JsonValue& value)
{
    constexpr std::string_view must = "\"auto\" or \"notify\"";
    const auto text = value.text(must);
    if (text == "auto")
        return Readiness::automatic;
    if (text == "notify")
        return Readiness::notify;
    value.refuse(must);
}

unsigned decode_workers(const JsonValue& value)
{
    const auto must =
        fmt::format("a number from {} to {} or \"auto\"", workers_range.least, workers_range.most);
    if (!value.is_string())
        return value.number(workers_range, must);
    if (value.text() != "auto")
        value.refuse(must);
    return 0;
}

std::map<std::string, std::string> decode_env(const JsonValue& value)
{
    std::map<std::string, std::string> env;
    for (const auto& [name, content] : value.entries()) {
        if (name.empty())
            content.fail("has an empty name; name the variable");
        if (name.find('=') != std::string::npos)
            content.fail("has \"=\" in its name; choose a name without it");
        if (name.find('\0') != std::string::npos)
            content.fail("has a zero byte (\\u0000) in its name; remove it");
        if (name.starts_with(reserved_env_prefix))
            content.fail(fmt::format("names that begin with {} are reserved; choose another name",
                                     reserved_env_prefix));
        env.emplace(name, content.text());
    }
    return env;
}

RestartConfig decode_restart(const JsonValue& value)
{
    RestartConfig restart;
    value.read_members(
        {
            {"first_delay", into(restart.first_delay, decode_positive_duration)},
            {"longest_delay", into(restart.longest_delay, decode_positive_duration)},
            {"healthy_after", into(restart.healthy_after, decode_positive_duration)},
            {"give_up_after", into(restart.give_up_after, number_in(give_up_after_range))},
        },
        "an object");

    if (restart.first_delay > restart.longest_delay)
        value.fail(fmt::format("first_delay is {}, but must not be longer than longest_delay, {}",
                               format_duration(restart.first_delay),
                               format_duration(restart.longest_delay)));
    return restart;
}

std::uint64_t decode_max_memory(const JsonValue& value)
{
    return decode_byte_size(value, max_memory_range);
}

int decode_signal(const JsonValue& value)
{
    const auto number = signal_number(value.text("the name of a signal, e.g. \"TERM\""));
    if (!number)
        value.refuse(
            "the name of a signal that ends a process, e.g. \"TERM\", \"QUIT\" or \"ABRT\"");
    return *number;
}

ReloadConfig::Strategy decode_strategy(const JsonValue& value)
{
    const auto text = value.text();
    if (text == "rolling")
        return ReloadConfig::Strategy::rolling;
    if (text == "all-at-once")
        return ReloadConfig::Strategy::all_at_once;
    value.refuse("\"rolling\" or \"all-at-once\"");
}

ReloadConfig decode_reload(const JsonValue& value)
{
    ReloadConfig reload;
    value.read_members(
        {
            {"strategy", into(reload.strategy, decode_strategy)},
            {"max_surge", into(reload.max_surge, number_in(max_surge_range))},
            {"max_unavailable", into(reload.max_unavailable, number_in(max_unavailable_range))},
            {"soak", into(reload.soak, decode_duration)},
            {"max_old_generations",
             into(reload.max_old_generations, number_in(max_old_generations_range))},
        },
        "an object");

    if (reload.max_surge == 0 && reload.max_unavailable == 0)
        value.fail("max_surge and max_unavailable are both 0, so that no worker could ever be "
                   "replaced; set one of them");
    return reload;
}

} // namespace

PoolConfig decode_pool(const JsonValue& value)
{
    PoolConfig pool;
    std::vector<JsonValue::Member> members{
        {"name", into(pool.name, decode_name)},
        {"command", into(pool.command, decode_command)},
        {"dialect", into(pool.dialect, decode_dialect)},
        {"node", into(pool.node, decode_node)},
        {"share", into(pool.share, decode_share)},
        {"workers", into(pool.workers, decode_workers)},
        {"listen", into(pool.listen, decode_listen)},
        {"backlog", into(pool.backlog, number_in(backlog_range))},
        {"env", into(pool.env, decode_env)},
        {"cwd", into(pool.cwd, decode_text)},
        {"max_queue", into(pool.max_queue, number_in(max_queue_range))},
        {"start_timeout", into(pool.start_timeout, decode_positive_duration)},
        {"ready", into(pool.ready, decode_ready)},
        {"start_delay", into(pool.start_delay, decode_duration)},
        {"probe", into(pool.probe, decode_probe)},
        {"start_attempts", into(pool.start_attempts, number_in(start_attempts_range))},
        {"drain_timeout", into(pool.drain_timeout, decode_duration)},
        {"stop_grace", into(pool.stop_grace, decode_duration)},
        {"stop_signal", into(pool.stop_signal, decode_signal)},
        {"stall_timeout", into(pool.stall_timeout, decode_duration)},
        {"hang_signal", into(pool.hang_signal, decode_signal)},
        {"max_connections", into(pool.recycle.max_connections, number_in(max_connections_range))},
        {"max_age", into(pool.recycle.max_age, decode_duration)},
        {"max_memory", into(pool.recycle.max_memory, decode_max_memory)},
        {"output", into(pool.output, decode_output)},
        {"restart", into(pool.restart, decode_restart)},
        {"reload", into(pool.reload, decode_reload)},
    };
    std::ranges::move(run_as_members(pool.run_as), std::back_inserter(members));
    value.read_members(members, "an object with \"command\" and \"listen\"");
    return pool;
}

} // namespace usher
