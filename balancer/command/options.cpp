// SPDX-License-Identifier: MIT
#include "balancer/command/options.hpp"

#include "balancer/command/flags.hpp"
#include "balancer/command/refuse.hpp"
#include "balancer/command/usage_text.hpp"
#include "balancer/config/json/nearest_name.hpp"
#include "common/text/one_line.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace usher {

namespace {

constexpr std::array<std::string_view, 10> command_names{
    "run", "check", "status", "reload", "restart", "drain", "scale", "send", "stop", "events"};

CLI::Option* add_values(CLI::App& app, const std::string& name, std::vector<std::string>& values)
{
    // Without the second call one option would also take the words that follow its value.
    return app.add_option(name, values)->allow_extra_args(false);
}

/// Refuses a word that is no option; says what was probably meant.
[[noreturn]] void refuse_argument(const std::string& word, const CLI::App& app)
{
    if (app.get_name() == "run")
        refuse("{} stands before --; put -- in front of the command, e.g. {}", quote(word),
               run_example);
    if (app.get_name() == "check")
        refuse("{} belongs to no option; write e.g. usher check --config usher.json", quote(word));
    if (app.get_parent() != nullptr)
        refuse("{} is too much for usher {}; see usher {} --help", quote(word), app.get_name(),
               app.get_name());

    const std::string_view nearest = nearest_name(word, command_names);
    refuse("{} is no command of usher; {}", quote(word),
           nearest.empty() ? fmt::format("use one of {}", fmt::join(command_names, ", "))
                           : fmt::format("did you mean {}?", nearest));
}

/// Refuses a word that belongs to no option; says what was probably meant.
[[noreturn]] void refuse_word(const std::string& word, const CLI::App& app)
{
    const bool is_root = app.get_parent() == nullptr;
    const std::string name = is_root ? "usher" : "usher " + app.get_name();

    const std::size_t dashes = word.find_first_not_of('-');
    if (dashes == 0 || dashes == std::string::npos)
        refuse_argument(word, app);

    std::vector<std::string_view> known;
    for (const CLI::Option* option : app.get_options())
        known.push_back(option->get_lnames().front());
    const std::string_view given = std::string_view{word}.substr(dashes);
    const std::string_view nearest = nearest_name(given.substr(0, given.find('=')), known);
    if (!nearest.empty())
        refuse("{} is no option of {}; did you mean --{}?", quote(word), name, nearest);
    if (is_root)
        refuse("{} is no option of usher; begin with run or check, e.g. {}", quote(word),
               run_example);
    refuse("{} is no option of {}; see {} --help", quote(word), name, name);
}

/// Lets CLI11 take `words` apart; throws UsageError for what it refuses.
void parse_words(CLI::App& app, std::vector<std::string> words)
{
    std::ranges::reverse(words); // CLI11 takes them from the end
    try {
        app.parse(std::move(words));
    } catch (const CLI::ArgumentMismatch& error) { // "--config: 1 required TEXT missing"
        const std::string_view text{error.what()};
        refuse("{}: needs a value; see usher --help", text.substr(0, text.find(':')));
    } catch (const CLI::ParseError& error) {
        refuse("{}; see usher --help", error.what());
    }
}

} // namespace

Command parse_options(std::span<const char* const> arguments)
{
    const auto separator = std::ranges::find(arguments, std::string_view{"--"});
    Flags flags;
    flags.has_command = separator != arguments.end();
    if (flags.has_command)
        flags.command.assign(separator + 1, arguments.end());

    CLI::App app;
    app.set_help_flag(); // usage_text.hpp has better ones
    app.allow_extras();  // refuse_word() says what to do about them
    app.require_subcommand(0, 1);
    bool help = false;
    bool version = false;
    app.add_flag("-h,--help", help);
    app.add_flag("--version", version);

    CLI::App& run = *app.add_subcommand("run");
    run.allow_extras();
    run.add_flag("-h,--help", help);
    add_values(run, "--config", flags.config);
    const std::array of_pool{
        add_values(run, "--listen", flags.listen),
        add_values(run, "--dialect", flags.dialect),
        add_values(run, "--workers", flags.workers),
        add_values(run, "--backlog", flags.backlog),
    };
    add_values(run, "--control", flags.control);

    CLI::App& check = *app.add_subcommand("check");
    check.allow_extras();
    check.add_flag("-h,--help", help);
    add_values(check, "--config", flags.config);
    check.add_flag("--dump", flags.dump);

    std::vector<const CLI::App*> parts{&app, &run, &check};
    for (const auto name : command_names) {
        if (name == "run" || name == "check")
            continue;
        CLI::App& command = *app.add_subcommand(std::string{name});
        command.allow_extras();
        command.add_flag("-h,--help", help);
        add_values(command, "--control", flags.control);
        if (name == "status" || name == "events")
            command.add_flag("--json", flags.json);
        if (name == "events")
            command.add_flag("-f,--follow", flags.follow);
        else
            add_values(command, "--timeout", flags.timeout);
        if (name == "stop") {
            command.add_flag("--now", flags.now);
            command.add_flag("--no-wait", flags.no_wait);
        }
        if (name == "reload")
            command.add_flag("--dry-run", flags.dry_run);
        if (name == "restart" || name == "drain" || name == "scale" || name == "send") {
            add_values(command, "--pool", flags.pool);
            command.add_option("subject", flags.subject);
        }
        if (name == "send")
            add_values(command, "--worker", flags.worker);
        parts.push_back(&command);
    }

    parse_words(app, {arguments.begin(), separator});
    for (const CLI::App* part : parts)
        if (!part->remaining().empty())
            refuse_word(part->remaining().front(), *part);

    if (flags.has_command)
        flags.of_pool = "-- COMMAND";
    for (auto option = of_pool.rbegin(); option != of_pool.rend(); ++option)
        if ((*option)->count() > 0)
            flags.of_pool = (*option)->get_name();

    if (help)
        return PrintCommand{run.parsed()                    ? run_help_text()
                            : check.parsed()                ? check_help_text()
                            : app.get_subcommands().empty() ? help_text()
                                                            : control_help_text()};
    if (version)
        return PrintCommand{version_text()};
    if (run.parsed())
        return make_run_command(flags);
    if (check.parsed())
        return make_check_command(flags);
    if (!app.get_subcommands().empty())
        return make_control_command(app.get_subcommands().front()->get_name(), flags);
    refuse("there is nothing to do; write e.g. {}", run_example);
}

} // namespace usher
