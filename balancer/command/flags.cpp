// SPDX-License-Identifier: MIT
#include "balancer/command/flags.hpp"

#include "balancer/command/refuse.hpp"
#include "balancer/command/usage_text.hpp"
#include "balancer/config/accounts.hpp"
#include "balancer/config/json/config_error.hpp"
#include "balancer/config/json/message_text.hpp"
#include "balancer/config/keys.hpp"
#include "balancer/config/load.hpp"
#include "balancer/config/units/duration.hpp"
#include "balancer/config/units/limits.hpp"
#include "balancer/config/validate.hpp"
#include "common/text/listen_address.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <charconv>
#include <cstdio>
#include <optional>
#include <set>
#include <string_view>

namespace usher {

namespace {

/// The value of an option that makes sense once; nothing if it was not given.
std::optional<std::string> only(std::string_view name, const std::vector<std::string>& values)
{
    if (values.size() > 1)
        refuse("{}: is given {} times; give it once", name, values.size());
    if (values.empty())
        return std::nullopt;
    if (values.front().empty())
        refuse("{}: needs a value; see usher --help", name);
    return values.front();
}

std::optional<unsigned> to_number(std::string_view text, Range range)
{
    unsigned number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || rest != end || !range.contains(number))
        return std::nullopt;
    return number;
}

std::optional<std::chrono::milliseconds> parse_timeout(const std::optional<std::string>& text)
{
    if (!text)
        return std::nullopt;
    try {
        const auto timeout = parse_duration(*text);
        if (timeout == timeout.zero())
            refuse("--timeout: is {}, but must be longer than 0", quote(*text));
        return timeout;
    } catch (const std::invalid_argument& error) {
        refuse("--timeout: {}", error.what());
    }
}

std::vector<ListenConfig> parse_listeners(const std::vector<std::string>& addresses)
{
    std::vector<ListenConfig> listen;
    std::set<ListenAddress> seen;
    for (const std::string& text : addresses) {
        PoolConfig pool;
        read_flag(pool, "listen", text, FlagKind::word);
        const auto address = parse_listen_address(text);
        if (!seen.insert(address).second && is_exclusive(address))
            refuse("--listen: {} is where an earlier --listen is; give it once", quote(text));
        listen.push_back(std::move(pool.listen.front()));
    }
    return listen;
}

/// Lets the flags replace what `pool` says.
void apply(const Flags& flags, PoolConfig& pool)
try {
    if (!flags.listen.empty())
        pool.listen = parse_listeners(flags.listen);
    if (const auto dialect = only("--dialect", flags.dialect))
        read_flag(pool, "dialect", *dialect, FlagKind::word);
    if (const auto workers = only("--workers", flags.workers))
        read_flag(pool, "workers", *workers, FlagKind::number_or_word);
    if (const auto backlog = only("--backlog", flags.backlog))
        read_flag(pool, "backlog", *backlog, FlagKind::number_or_word);
    if (flags.has_command)
        pool.command = flags.command;
} catch (const ConfigError& e) {
    throw UsageError{e.what()};
}

RunCommand finish(const Flags& flags, Config config)
{
    return RunCommand{.config = std::move(config),
                      .reload = [flags] { return make_run_command(flags).config; },
                      .control = only("--control", flags.control).value_or(std::string{})};
}

/// The standard input, but no more than needed to see that it is too long.
std::string read_input()
{
    std::string text(longest_message + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), stdin));
    return text;
}

SendRequest make_send_request(const Flags& flags, const std::string& pool)
{
    if (flags.subject.empty())
        refuse("send needs a message in JSON, or - to read it from the standard input; write e.g. "
               "usher send '{{\"refresh\": true}}'");
    unsigned slot = 0;
    if (const auto text = only("--worker", flags.worker)) {
        const auto number = to_number(*text, workers_range);
        if (!number)
            refuse("--worker: is {}, but must be a slot, from {} to {}", quote(*text),
                   workers_range.least, workers_range.most);
        slot = *number;
    }
    try {
        return {.pool = pool,
                .slot = slot,
                .message = message_text(flags.subject == "-" ? read_input() : flags.subject)};
    } catch (const ConfigError& e) {
        throw UsageError{e.what()};
    }
}

} // namespace

RunCommand make_run_command(const Flags& flags)
{
    if (flags.has_command && (flags.command.empty() || flags.command.front().empty()))
        refuse("-- is followed by no command; write e.g. {}", run_example);

    const auto file = only("--config", flags.config);
    if (!file) {
        PoolConfig pool;
        apply(flags, pool);
        if (pool.command.empty())
            refuse("run has no command; write e.g. {}", run_example);
        if (pool.listen.empty() && pool.dialect != Dialect::node) // its workers say where
            refuse("run has no --listen; write e.g. {}", run_example);
        return finish(flags, {.pools = {pool}});
    }

    Config config = load_config(*file);
    if (config.pools.size() == 1)
        apply(flags, config.pools.front());
    else if (!flags.of_pool.empty())
        refuse("{}: {} has {} pools, so the flag could mean any; write it in the file",
               flags.of_pool, *file, config.pools.size());
    validate(config, *file);
    resolve_accounts(config, *file);
    require_privileges(config, *file);
    return finish(flags, std::move(config));
}

CheckCommand make_check_command(const Flags& flags)
{
    const auto file = only("--config", flags.config);
    if (!file)
        refuse("check has no --config; write e.g. usher check --config usher.json");
    if (flags.has_command)
        refuse("check starts no command; leave out -- and what follows");

    Config config = load_config(*file);
    validate(config, *file);
    resolve_accounts(config, *file);
    return CheckCommand{.config = std::move(config), .file = *file, .dump = flags.dump};
}

ControlCommand make_control_command(std::string_view name, const Flags& flags)
{
    ControlCommand command{.request = StatusRequest{},
                           .path = only("--control", flags.control).value_or(std::string{}),
                           .json = flags.json,
                           .timeout = parse_timeout(only("--timeout", flags.timeout))};
    const auto pool = only("--pool", flags.pool).value_or(std::string{});
    if (name == "reload") {
        command.request = ReloadRequest{.dry_run = flags.dry_run};
    } else if (name == "stop") {
        command.request = StopRequest{.fast = flags.now, .wait = !flags.no_wait};
    } else if (name == "events") {
        command.request = EventsRequest{.follow = flags.follow};
    } else if (name == "scale") {
        if (flags.subject.empty())
            refuse("scale needs a number; write e.g. usher scale 4, usher scale +1");
        command.request = ScaleRequest{.pool = pool, .workers = flags.subject};
    } else if (name == "send") {
        command.request = make_send_request(flags, pool);
    } else if (name == "drain") {
        const auto slot = to_number(flags.subject, workers_range);
        if (!slot)
            refuse("drain needs a slot; write e.g. usher drain 2");
        command.request = DrainRequest{.pool = pool, .slot = *slot};
    } else if (name == "restart") {
        const auto slot =
            flags.subject == "all" ? std::optional{0U} : to_number(flags.subject, workers_range);
        if (!slot)
            refuse("restart needs a slot or all; write e.g. usher restart 2, usher restart all");
        command.request = RestartRequest{.pool = pool, .slot = *slot};
    }
    return command;
}

} // namespace usher
