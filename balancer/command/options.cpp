// SPDX-License-Identifier: MIT
#include "balancer/command/options.hpp"

#include "balancer/bus/topic.hpp"
#include "balancer/config/accounts.hpp"
#include "balancer/config/env_file.hpp"
#include "balancer/config/json/config_error.hpp"
#include "balancer/config/json/json_text.hpp"
#include "balancer/config/json/nearest_name.hpp"
#include "balancer/config/keys.hpp"
#include "balancer/config/load.hpp"
#include "balancer/config/units/duration.hpp"
#include "balancer/config/units/limits.hpp"
#include "balancer/config/validate.hpp"
#include "balancer/store/json_members.hpp"
#include "balancer/store/store_file.hpp"
#include "common/text/listen_address.hpp"
#include "common/text/one_line.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace usher {

namespace {

constexpr std::string_view run_example = "usher run --listen 8000 -- ./my-server";

constexpr std::string_view exit_codes = R"(
Exit codes:
  0   done
  1   failed, and what served before serves on
  2   wrong usage, or an address is in use
  3   wrong configuration
)";

constexpr std::string_view control_exit_codes = R"(  4   no usher is running there
  5   rolled back: the new generation crashed, the old one serves
  6   no result within --timeout
)";

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

/// Throws UsageError: one sentence that names the word at fault and the remedy.
template <typename... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args)
{
    throw UsageError{fmt::format(format, std::forward<Args>(args)...)};
}

/// What stood behind `usher run`, not yet looked at; empty: not given.
struct RunFlags {
    std::string config;
    std::string control;
    std::vector<std::string> listen;
    std::vector<std::string> env; ///< NAME=VALUE
    std::vector<std::string> env_files;
    std::vector<std::string> watch;
    std::map<std::string, std::string> keys;         ///< of a pool that have one word
    std::optional<std::vector<std::string>> command; ///< behind `--`
};

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

ResolvedConfig load_and_complete(const RunFlags& flags)
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
        return resolve_accounts({.pools = {pool}}, "", true);
    }

    Config config = load_config(flags.config);
    PoolConfig any;
    if (const auto used = apply(flags, config.pools.size() == 1 ? config.pools.front() : any);
        !used.empty() && config.pools.size() > 1)
        refuse("{}: {} has {} pools, so the flag could mean any; write it in the file", used,
               flags.config, config.pools.size());
    validate(config, flags.config);
    return resolve_accounts(std::move(config), flags.config, true);
}

/// The usher that has it may be running.
void check_store(const std::string& path, const std::string& origin, const std::string& pointer)
try {
    StoreFile::check(path, true);
} catch (const std::runtime_error& e) {
    throw ConfigError{origin, pointer, e.what()};
}

/// What `usher check` has to say of a file that is good.
std::string check_file(const std::string& file, bool dump)
{
    const Config config = load_config(file, FileKind::ready);
    validate(config, file);
    std::ignore = resolve_accounts(config, file, false);
    for (std::size_t i = 0; i < config.pools.size(); ++i)
        if (const auto& path = config.pools[i].store.persist; !path.empty())
            check_store(path, file, fmt::format("/pools/{}/store/persist", i));
    return dump ? dump_config(config) + "\n" : file + ": the configuration is good\n";
}

/// The standard input, but no more than needed to see that it is too long.
std::string read_input()
{
    std::string text(longest_message + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), stdin));
    return text;
}

std::string make_message(const std::string& word)
try {
    return message_text(word == "-" ? read_input() : word);
} catch (const ConfigError& e) {
    throw UsageError{e.what()};
}

/// What the option `name` says.
std::chrono::milliseconds parse_positive_time(const std::string& name, const std::string& text)
try {
    const auto time = parse_duration(text);
    if (time == time.zero())
        refuse("{}: is {}, but must be longer than 0", name, quote(text));
    return time;
} catch (const std::invalid_argument& error) {
    refuse("{}: {}", name, error.what());
}

/// What the option `name` says.
template <typename Number>
Number parse_whole(const std::string& name, const std::string& text, Number least)
{
    Number number{};
    const auto* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || rest != end || number < least)
        refuse("{}: is {}, but must be a whole number from {} to {}", name, quote(text), least,
               std::numeric_limits<Number>::max());
    return number;
}

/// An option that is given once, with a value that is not empty.
CLI::Option* add_value(CLI::App& part, const std::string& name, std::string& value,
                       const std::string& type, const std::string& description)
{
    const auto check = [](const std::string& text) {
        return text.empty() ? std::string{"needs a value"} : std::string{};
    };
    return part.add_option(name, value, description)->option_text(type)->check(check);
}

void add_control_path(CLI::App& part, std::string& path)
{
    add_value(part, "--control", path, "PATH",
              "the control socket of this master (default\n"
              "$XDG_RUNTIME_DIR/usher.sock, or /run/usher.sock)");
}

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
        add_value(run, "--" + key, flags.keys[key], type, text);
    };
    add_key("workers", "N|auto",
            fmt::format("how many workers, {} to {}, or auto: one for each CPU that\n"
                        "usher may use (default auto)",
                        workers_range.least, workers_range.most));
    add_key("dialect", "NAME",
            "how the workers receive connections: auto, as the program\n"
            "shows (default); native, by the worker protocol; preload, an\n"
            "unmodified program that listens on a port of its own; node,\n"
            "a Node program that uses cluster, unmodified; listen-fds, a\n"
            "program that takes listening sockets as from systemd; none,\n"
            "a program to which nobody connects");
    add_key("backlog", "N",
            fmt::format("how many connections the kernel keeps waiting, {} to {}\n(default {})",
                        backlog_range.least, backlog_range.most, PoolConfig{}.backlog));
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
    add_control_path(run, flags.control);
    run.footer(fmt::format("{}{}", run_notes, exit_codes));
    run.callback([&] {
        result = RunCommand{.config = load_and_complete(flags),
                            .reload = [flags] { return load_and_complete(flags); },
                            .control = flags.control};
    });
}

void add_control(CLI::App& app, ControlCommand& asked, std::optional<Command>& result)
{
    using enum Request::Command;
    const auto add = [&](Request::Command command, const std::string& description) -> CLI::App& {
        auto& part = *app.add_subcommand(std::string{name_of(request_names, command)}, description);
        add_control_path(part, asked.path);
        const auto set_timeout = [&](const std::string& text) {
            asked.timeout = parse_positive_time("--timeout", text);
        };
        if (command != events)
            part.add_option_function<std::string>(
                    "--timeout", set_timeout,
                    "how long to wait for the result, e.g. 30s or 500ms; the\n"
                    "master goes on with what it was asked")
                ->option_text("TIME");
        part.footer(fmt::format("{}{}", exit_codes, control_exit_codes));
        part.callback([&, command] {
            asked.request.command = command;
            asked.request.wait = command == stop && !asked.request.wait;
            result = asked;
        });
        return part;
    };
    auto& request = asked.request;
    const CLI::Range slots{workers_range.least, workers_range.most};
    const auto add_pool = [&](CLI::App& part, const std::string& description) {
        add_value(part, "--pool", request.pool, "NAME", description);
    };
    const auto add_json = [&](CLI::App& part) {
        part.add_flag("--json", asked.json, "as JSON, one object a line");
    };

    add_json(add(status, "show pools and workers of a running usher"));

    add(reload, "read the configuration again and bring in a new generation of workers")
        .add_flag("--dry-run", request.dry_run, "only say what the reload would do");

    auto& to_restart = add(restart, "replace one worker or all");
    to_restart
        .add_option_function<std::string>(
            "SLOT|all",
            [&](const std::string& text) {
                request.slot =
                    text == "all" ? 0 : static_cast<unsigned>(std::stoul(text, nullptr, 0));
            },
            "which worker")
        ->check(slots | CLI::IsMember({"all"}))
        ->required();
    add_pool(to_restart, "which pool, where there are several");

    auto& to_drain = add(drain, "let one worker finish and leave its slot empty");
    to_drain.add_option("SLOT", request.slot, "which worker")->check(slots)->required();
    add_pool(to_drain, "which pool, where there are several");

    auto& to_scale = add(scale, "change the number of workers");
    to_scale.add_option("N|+N|-N", request.workers, "how many, or how many more or fewer")
        ->required();
    add_pool(to_scale, "which pool, where there are several");

    auto& to_send = add(send, "send a message to the programs of workers of dialect node");
    to_send
        .add_option_function<std::string>(
            "JSON|-", [&](const std::string& word) { request.message = make_message(word); },
            "the message; -: what stands on the standard input")
        ->required();
    to_send.add_option("--worker", request.slot, "which worker; without it: all")
        ->option_text("SLOT")
        ->check(slots);
    add_pool(to_send, "which pool; without it: all");

    auto& to_stop = add(stop, "drain and end everything");
    to_stop.add_flag("--now", request.fast, "do not let connections finish");
    to_stop.add_flag("--no-wait", request.wait, "do not wait until the master has ended");

    auto& to_show = add(events, "show what has happened last, and with -f what happens");
    add_json(to_show);
    to_show.add_flag("-f,--follow", request.follow, "go on with what happens, until interrupted");
}

/// What is said on the bus of a pool, and what is done with its store.
void add_bus(CLI::App& app, ControlCommand& asked, BusQuestion& question,
             std::optional<Command>& result)
{
    using Asked = BusQuestion::Kind;
    const auto add = [&](CLI::App& parent, const std::string& name, Asked kind,
                         const std::string& description) -> CLI::App& {
        auto& part = *parent.add_subcommand(name, description);
        add_control_path(part, asked.path);
        add_value(part, "--pool", asked.request.pool, "NAME",
                  "on the bus of which pool, where there are several");
        part.add_flag("--json", question.is_raw, "show what the master sends as it is");
        part.footer(fmt::format("{}{}", exit_codes, control_exit_codes));
        part.callback([&, kind] {
            question.kind = kind;
            asked.request.command = Request::Command::bus;
            for (const auto& line : question.lines())
                asked.request.message += line + '\n';
            asked.question = question;
            if (kind == Asked::request) // the master ends it then, unless it hangs
                asked.timeout = question.timeout + std::chrono::seconds{5};
            result = asked;
        });
        return part;
    };
    const auto add_time = [&](CLI::App& part, const std::string& name, auto use,
                              const std::string& text) {
        part.add_option_function<std::string>(
                name,
                [use, name](const std::string& word) { use(parse_positive_time(name, word)); },
                text)
            ->option_text("TIME");
    };
    const auto add_timeout = [&](CLI::App& part) {
        add_time(
            part, "--timeout", [&](std::chrono::milliseconds time) { asked.timeout = time; },
            "how long to wait for the answer, e.g. 30s or 500ms");
    };
    const auto add_json_value = [&](CLI::App& part, const std::string& text) {
        part.add_option_function<std::string>(
                "JSON|-", [&](const std::string& word) { question.json = make_message(word); },
                text)
            ->required();
    };
    const auto add_topic = [&](CLI::App& part) {
        part.add_option_function<std::string>(
                "TOPIC",
                [&](const std::string& topic) {
                    if (!is_topic(topic))
                        refuse("{} is no topic, which is {}; write e.g. cache.clear", quote(topic),
                               topic_rule);
                    question.topics = {topic};
                },
                "words joined by dots")
            ->required();
    };
    const auto add_key_text = [&](CLI::App& part, const char* name,
                                  const char* text) -> CLI::Option& {
        return *part.add_option_function<std::string>(
            name,
            [&question, name](const std::string& key) {
                if (!is_utf8(key))
                    refuse("{}: is {}, which is no UTF-8, as keys are", name, quote(key));
                question.key = key;
            },
            text);
    };
    const auto add_key = [&](CLI::App& part) { add_key_text(part, "KEY", "which key").required(); };
    const auto add_count = [&](CLI::App& part) {
        part.add_option_function<std::string>(
                "--count",
                [&](const std::string& word) {
                    question.count = parse_whole<std::uint64_t>("--count", word, 1);
                },
                "end after so many")
            ->option_text("N");
    };

    auto& to_publish = add(app, "publish", Asked::publish,
                           "send a message to the workers that have subscribed to its topic");
    add_topic(to_publish);
    add_json_value(to_publish, "the message; -: what stands on the standard input");
    add_timeout(to_publish);

    auto& to_subscribe =
        add(app, "subscribe", Asked::subscribe, "show the messages of a topic, until interrupted");
    to_subscribe
        .add_option_function<std::vector<std::string>>(
            "PATTERN",
            [&](const std::vector<std::string>& patterns) {
                for (const auto& pattern : patterns)
                    if (!is_pattern(pattern))
                        refuse("{} is no pattern, which is {}; write e.g. 'cache.*'",
                               quote(pattern), pattern_rule);
                question.topics = patterns;
            },
            "a topic, in which * may stand for a word and > at the end\nfor the rest; several: all "
            "of them")
        ->required();
    add_count(to_subscribe);
    add_timeout(to_subscribe);

    auto& to_request =
        add(app, "request", Asked::request, "ask all workers that have subscribed to a topic");
    add_topic(to_request);
    add_json_value(to_request, "the question; -: what stands on the standard input");
    add_time(
        to_request, "--timeout", [&](std::chrono::milliseconds time) { question.timeout = time; },
        "how long they may take for their answers (default 5s)");

    auto& store = *app.add_subcommand("store", "read and change what workers share");
    store.require_subcommand(1);
    add_control_path(store, asked.path);
    const auto add_expected = [&](CLI::App& part) {
        part.add_option_function<std::string>(
                "--expect",
                [&](const std::string& word) {
                    question.expected = parse_whole<std::uint64_t>("--expect", word, 0);
                },
                "only if the key has this revision; 0: if it is not there")
            ->option_text("REVISION");
    };
    const auto add_ttl = [&](CLI::App& part) {
        add_time(
            part, "--ttl", [&](std::chrono::milliseconds time) { question.ttl = time; },
            "it goes after that time, e.g. 30s");
    };
    auto& to_get = add(store, "get", Asked::get, "show the value of a key");
    add_key(to_get);
    add_timeout(to_get);
    auto& to_put = add(store, "put", Asked::put, "give a key a value");
    add_key(to_put);
    add_json_value(to_put, "the value; -: what stands on the standard input");
    add_expected(to_put);
    add_ttl(to_put);
    add_timeout(to_put);
    auto& to_erase = add(store, "erase", Asked::erase, "remove a key");
    add_key(to_erase);
    add_expected(to_erase);
    add_timeout(to_erase);
    auto& to_increment = add(store, "increment", Asked::increment, "add to a number");
    add_key(to_increment);
    to_increment.add_option_function<std::string>(
        "N",
        [&](const std::string& word) {
            question.by =
                parse_whole<std::int64_t>("N", word, std::numeric_limits<std::int64_t>::min());
        },
        "how much (default 1)");
    add_ttl(to_increment);
    add_timeout(to_increment);
    auto& to_watch = add(store, "watch", Asked::watch, "show changes, until interrupted");
    add_key_text(to_watch, "PREFIX", "only of keys that begin like this");
    add_count(to_watch);
    add_timeout(to_watch);
    auto& to_dump = add(store, "dump", Asked::dump, "show all keys and their values");
    add_key_text(to_dump, "PREFIX", "only of keys that begin like this");
    add_timeout(to_dump);
}

/// The command that was begun, or the part of it.
const CLI::App& last_part(const CLI::App& app)
{
    const auto* part = &app;
    for (auto parsed = app.get_subcommands(); !parsed.empty(); parsed = part->get_subcommands())
        part = parsed.front();
    return *part;
}

/// `usher store get`
std::string full_name(const CLI::App& part)
{
    const auto* const parent = part.get_parent();
    return parent == nullptr ? part.get_name() : full_name(*parent) + " " + part.get_name();
}

/// Refuses a word that nothing of `part` takes; says what was probably meant.
[[noreturn]] void refuse_word(const std::string& word, const CLI::App& part)
{
    const bool is_root = part.get_parent() == nullptr;
    const auto name = full_name(part);
    const std::size_t dashes = word.find_first_not_of('-');
    const bool is_option = dashes != 0 && dashes != std::string::npos;

    std::vector<std::string> known;
    for (const auto* const option : part.get_options())
        if (is_option)
            known.insert(known.end(), option->get_lnames().begin(), option->get_lnames().end());
    for (const auto* const command : part.get_subcommands({}))
        if (!is_option)
            known.push_back(command->get_name());

    const auto given = is_option ? word.substr(dashes, word.find('=') - dashes) : word;
    const auto nearest =
        nearest_name(given, std::vector<std::string_view>{known.begin(), known.end()});
    if (!nearest.empty())
        refuse("{} is no {} of {}; did you mean {}{}?", quote(word),
               is_option ? "option" : "command", name, is_option ? "--" : "", nearest);
    if (is_option)
        refuse("{} is no option of {}; see {} --help", quote(word), name, name);
    if (is_root)
        refuse("{} is no command of usher; use one of {}", quote(word), fmt::join(known, ", "));
    if (part.get_name() == "run")
        refuse("{} stands before --; put -- in front of the command, e.g. {}", quote(word),
               run_example);
    refuse("{} is too much for {}; see {} --help", quote(word), name, name);
}

/// Says what CLI11 has found.
[[noreturn]] void refuse_error(const CLI::ParseError& error, const CLI::App& part)
{
    std::string text = error.what();
    if (text.ends_with(" missing")) // "--config: 1 required TEXT missing"
        text = text.substr(0, text.find(':')) + ": needs a value";
    if (const auto end = text.find(": At Most 1 required"); end != std::string::npos)
        text = text.substr(0, end) + " is given more than once";
    refuse("{}; see {} --help", text, full_name(part));
}

} // namespace

Command parse_options(std::span<const char* const> arguments)
{
    const auto separator = std::ranges::find(arguments, std::string_view{"--"});
    RunFlags run_flags;
    if (separator != arguments.end())
        run_flags.command.emplace(separator + 1, arguments.end());
    ControlCommand asked;
    BusQuestion question;
    std::string file;
    bool dump = false;
    std::optional<Command> result;

    CLI::App app{"usher: one front door for many worker processes", "usher"};
    app.get_formatter()->column_width(28);
    app.get_formatter()->label("SUBCOMMAND", "COMMAND");
    app.set_help_flag("-h,--help", "print this text; usher COMMAND --help says more of each");
    app.set_version_flag("--version", "usher " USHER_VERSION, "print the version");
    app.require_subcommand(0, 1);

    add_run(app, run_flags, result);
    auto& check = *app.add_subcommand("check", "say whether a configuration file is valid");
    add_value(check, "--config", file, "FILE", "the file to check")->required();
    check.add_flag("--dump", dump, "print the configuration in effect, defaults included");
    check.footer(std::string{exit_codes});
    check.callback([&] {
        if (run_flags.command)
            refuse("check starts no command; leave out -- and what follows");
        result = PrintCommand{check_file(file, dump)};
    });
    add_control(app, asked, result);
    add_bus(app, asked, question, result);
    app.footer(fmt::format("\nExamples:\n  {}\n  usher run --config usher.json\n{}{}", run_example,
                           exit_codes, control_exit_codes));

    std::vector<std::string> words{arguments.begin(), separator};
    std::ranges::reverse(words); // CLI11 takes them from the end
    try {
        app.parse(std::move(words));
    } catch (const CLI::CallForVersion& version) {
        return PrintCommand{std::string{version.what()} + "\n"};
    } catch (const CLI::ParseError& error) {
        const auto& part = last_part(app);
        if (part.get_help_ptr()->count() > 0)
            return PrintCommand{app.help()};
        for (const auto* const each : {static_cast<const CLI::App*>(&app), &part})
            if (const auto left = each->remaining(); !left.empty())
                refuse_word(left.front(), *each);
        refuse_error(error, part);
    }
    if (!result)
        refuse("there is nothing to do; write e.g. {}", run_example);
    return std::move(*result);
}

} // namespace usher
