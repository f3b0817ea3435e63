// SPDX-License-Identifier: MIT
#include "balancer/command/run_options.hpp"

#include "balancer/command/common_options.hpp"
#include "balancer/config/accounts.hpp"
#include "balancer/config/env_file.hpp"
#include "balancer/config/json/config_error.hpp"
#include "balancer/config/keys.hpp"
#include "balancer/config/load.hpp"
#include "balancer/config/units/duration.hpp"
#include "balancer/config/units/limits.hpp"
#include "balancer/config/units/log_format.hpp"
#include "balancer/config/validate.hpp"
#include "common/text/listen_address.hpp"
#include "common/text/one_line.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace usher {

namespace {

constexpr std::string_view run_notes = R"(
  -- COMMAND ARG...           the program of the workers; everything behind -- belongs to it
                              ('${slot}' in it is the worker's slot, 1, 2, ...)

Addresses:
  8000                        port 8000 on every interface, also written *:8000
  127.0.0.1:8000              an IPv4 address
  [::]:8000                   an IPv6 address
  localhost:8000              all addresses of a name
  localhost:0                 a free port, which the log names
  unix:/run/my.sock           a Unix-domain socket

Examples:
  usher run --listen 8000 -- ./my-server
  usher run --config usher.json --workers 2 --listen localhost:8000
  usher run --workers 4 -- node app.js
  usher run --dialect none --workers 2 -- python3 worker.py
)";

std::vector<ListenConfig> parse_listeners(const std::vector<std::string>& addresses)
{
    std::vector<ListenConfig> listen;
    std::set<ListenAddress> seen;
    for (const std::string& text : addresses) {
        try {
            const auto address = parse_listen_address(text);
            if (!seen.insert(address).second && is_exclusive(address))
                refuse("--listen: {} is where an earlier --listen is; give it once", quote(text));
        } catch (const std::invalid_argument& error) {
            refuse("--listen: {}", error.what());
        }
        listen.push_back({.address = text});
    }
    return listen;
}

/// Adds `words`, each NAME=VALUE, to `env`, where they win.
void add_variables(const std::vector<std::string>& words, std::map<std::string, std::string>& env)
{
    for (const auto& word : words) {
        const auto equals = word.find('=');
        const auto name = word.substr(0, equals);
        if (equals == std::string::npos)
            refuse("--env: {} has no =; write e.g. --env LOG_LEVEL=info", quote(name));
        if (const auto problem = variable_name_problem(name); !problem.empty())
            refuse("--env: {}: {}", quote(name), problem);
        env.insert_or_assign(name, word.substr(equals + 1));
    }
}

/// Lets the flags replace what `pool` says; returns the name of one that did, if any did.
std::string apply(const RunFlags& flags, PoolConfig& pool)
{
    std::string used;
    if (flags.command) {
        if (flags.command->empty() || flags.command->front().empty())
            refuse("-- is followed by no command; write e.g. {}", run_example);
        pool.command = *flags.command;
        used = "-- COMMAND";
    }
    for (const auto& [key, text] : flags.keys) {
        if (text.empty())
            continue;
        try {
            read_flag(pool, key, text);
        } catch (const ConfigError& error) {
            throw UsageError{error.what()};
        }
        used = "--" + key;
    }
    if (!flags.env.empty()) {
        add_variables(flags.env, pool.env);
        used = "--env";
    }
    if (!flags.env_files.empty()) {
        pool.env_files.insert(pool.env_files.end(), flags.env_files.begin(), flags.env_files.end());
        used = "--env-file";
    }
    if (!flags.watch.empty()) {
        if (std::ranges::count(flags.watch, std::string{}) > 0)
            refuse("--watch: is empty, but must name a file or folder, e.g. --watch src");
        pool.watch.paths.insert(pool.watch.paths.end(), flags.watch.begin(), flags.watch.end());
        used = "--watch";
    }
    if (!flags.listen.empty()) {
        pool.listen = parse_listeners(flags.listen);
        used = "--listen";
    }
    return used;
}

/// Lets the flags replace what the configuration says of usher itself.
ResolvedConfig with_own_flags(ResolvedConfig config, const RunFlags& flags)
{
    if (flags.log_format.empty())
        return config;
    const auto format = value_of(log_format_names, flags.log_format);
    if (!format)
        refuse("--log-format: is {}, but must be {}", quote(flags.log_format),
               choice_of(log_format_names));
    config.log_format = *format;
    return config;
}

ResolvedConfig load_and_complete(const RunFlags& flags, const LaunchFolder& launched)
{
    if (flags.config.empty()) {
        PoolConfig pool;
        apply(flags, pool);
        if (pool.command.empty())
            refuse("run has no command; write e.g. {}", run_example);
        if (pool.listen.empty() && needs_listen(pool.dialect))
            refuse("run has no --listen, which dialect {} needs; write e.g. {}",
                   name_of(pool.dialect), run_example);
        if (pool.dialect == Dialect::none)
            for (const auto& [flag, is_there] :
                 {std::pair{"--listen", !pool.listen.empty()},
                  std::pair{"--backlog", pool.backlog != PoolConfig{}.backlog}})
                if (is_there)
                    refuse("{}: has no effect with --dialect none, whose workers have no "
                           "connections; leave it out",
                           flag);
        return resolve_accounts({.pools = {pool}}, "", true, launched);
    }

    Config config = load_config(launched.find(flags.config));
    PoolConfig any;
    if (const auto used = apply(flags, config.pools.size() == 1 ? config.pools.front() : any);
        !used.empty() && config.pools.size() > 1)
        refuse("{}: {} has {} pools, so the flag could mean any; write it in the file", used,
               flags.config, config.pools.size());
    validate(config, flags.config);
    return resolve_accounts(std::move(config), flags.config, true, launched);
}

} // namespace

void add_run(CLI::App& app, RunFlags& flags, std::optional<Command>& result)
{
    auto& run = *app.add_subcommand(
        "run", "accept every connection and hand it to the next worker, round robin");
    add_value(run, "--config", flags.config, "FILE",
              "read the configuration from a JSON file; if it has one\n"
              "pool, the options below replace what the file says of it");
    const auto add_several = [&](const std::string& name, std::vector<std::string>& values,
                                 const char* type, const std::string& text) {
        run.add_option(name, values, text)
            ->option_text(type)
            ->allow_extra_args(false); // or it would also take the words that follow its value
    };
    add_several("--listen", flags.listen, "ADDR",
                "where to listen (default: where the program would); give it\n"
                "several times for several addresses");
    const auto add_key = [&](const std::string& key, const char* type, const std::string& text) {
        return add_value(run, "--" + key, flags.keys[key], type, text);
    };
    auto& workers =
        *add_key("workers", "N|auto",
                 fmt::format("how many workers, {} to {}, or auto: one for each CPU that\n"
                             "usher may use (default auto)",
                             workers_range.least, workers_range.most));
    suggest_words(workers, {"auto"});
    auto& dialect = *add_key("dialect", "NAME",
                             "how the workers receive connections: auto, as the program\n"
                             "shows (default); native, by the worker protocol; preload, an\n"
                             "unmodified program that listens on a port of its own; node,\n"
                             "a Node program that uses cluster, unmodified; listen-fds, a\n"
                             "program that takes listening sockets as from systemd; none,\n"
                             "a program to which nobody connects");
    suggest_names(dialect, dialect_names);
    add_key("backlog", "N",
            fmt::format("how many connections the kernel keeps waiting, {} to {}\n(default {})",
                        backlog_range.least, backlog_range.most, PoolConfig{}.backlog));
    add_key("move-after", "TIME",
            fmt::format("how long connections wait for a worker that takes none until\n"
                        "idle ones get them, e.g. 1s; 0s keeps strict turns (default {})",
                        format_duration(PoolConfig{}.move_after)));
    add_several("--env", flags.env, "NAME=VALUE",
                "an environment variable of the workers; give it several\n"
                "times for several; ${slot} in it is the worker's slot");
    add_several("--env-file", flags.env_files, "FILE",
                "a file of lines NAME=value, read again at a reload; --env\n"
                "wins over it; may be given several times");
    add_several("--watch", flags.watch, "PATH",
                "for development: restart the workers, one after the other,\n"
                "when this file or something in this folder changes; may be\n"
                "given several times");
    auto& format = *add_value(run, "--log-format", flags.log_format, "NAME",
                              "how usher's own log lines are written: text (default) or\n"
                              "json, an object on each line");
    suggest_names(format, log_format_names);
    add_control_path(run, flags.control);
    run.footer(fmt::format("{}{}", run_notes, exit_codes));
    run.callback([&] {
        const auto launched = LaunchFolder::here();
        const auto load = [flags, launched] {
            return with_own_flags(load_and_complete(flags, launched), flags);
        };
        result = RunCommand{.config = load(), .reload = load, .control = flags.control};
    });
}

} // namespace usher
