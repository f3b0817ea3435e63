// SPDX-License-Identifier: MIT
#include "balancer/command/control_options.hpp"

#include "balancer/command/common_options.hpp"
#include "balancer/config/units/limits.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <string>

namespace usher {

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

    auto& to_see = add(status, "show pools and workers of a running usher");
    to_see.alias("ls");
    add_json(to_see);
    to_see.add_flag("-w,--watch", asked.watches, "show them again every second, until interrupted");

    add(reload, "read the configuration again and bring in a new generation of workers")
        .add_flag("--dry-run", request.dry_run, "only say what the reload would do");

    auto& to_restart = add(restart, "replace one worker or all");
    auto& which =
        *to_restart
             .add_option_function<std::string>(
                 "SLOT|all",
                 [&](const std::string& text) {
                     request.slot =
                         text == "all" ? 0 : static_cast<unsigned>(std::stoul(text, nullptr, 0));
                 },
                 "which worker")
             ->check(slots | CLI::IsMember({"all"}))
             ->required();
    suggest_words(which, {"all"});
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

} // namespace usher
