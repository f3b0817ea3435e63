// SPDX-License-Identifier: MIT
#include "balancer/command/options.hpp"

#include "balancer/command/bus_options.hpp"
#include "balancer/command/common_options.hpp"
#include "balancer/command/completion_options.hpp"
#include "balancer/command/control_options.hpp"
#include "balancer/command/run_options.hpp"
#include "balancer/command/wrong_options.hpp"
#include "balancer/config/accounts.hpp"
#include "balancer/config/json/config_error.hpp"
#include "balancer/config/load.hpp"
#include "balancer/config/validate.hpp"
#include "balancer/store/store_file.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace usher {

namespace {

/// What there is to say of a file that can be used.  The usher that has it may be running.
std::string check_store(const std::string& path, const std::string& origin,
                        const std::string& pointer)
try {
    const auto note = StoreFile::check(path, true);
    return note.empty() ? note
                        : fmt::format("{}: {}: the store's file {}: {} when usher starts\n", origin,
                                      pointer, path, note);
} catch (const std::runtime_error& e) {
    throw ConfigError{origin, pointer, e.what()};
}

/// What `usher check` has to say of a file that is good.
std::string check_file(const std::string& file, bool dump)
{
    const Config config = load_config(file, FileKind::ready);
    validate(config, file);
    std::ignore = resolve_accounts(config, file, false);
    std::string notes;
    for (std::size_t i = 0; i < config.pools.size(); ++i)
        if (const auto& path = config.pools[i].store.persist; !path.empty())
            notes += check_store(path, file, fmt::format("/pools/{}/store/persist", i));
    return dump ? dump_config(config) + "\n" : notes + file + ": the configuration is good\n";
}

} // namespace

Command parse_options(std::span<const char* const> arguments)
{
    // Of run what follows is a command; of others CLI11 knows it as the end of the options.
    const bool is_run = !arguments.empty() && std::string_view{arguments.front()} == "run";
    const auto separator =
        is_run ? std::ranges::find(arguments, std::string_view{"--"}) : arguments.end();
    RunFlags run_flags;
    if (separator != arguments.end())
        run_flags.command.emplace(separator + 1, arguments.end());
    ControlCommand asked;
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
    check.callback([&] { result = PrintCommand{check_file(file, dump)}; });
    add_control(app, asked, result);
    BusOptions bus{app, result};
    add_completion(app, result);
    app.footer(fmt::format("\nExamples:\n  {}\n  usher run --config usher.json\n{}{}", run_example,
                           exit_codes, control_exit_codes));

    std::vector<std::string> words{arguments.begin(), separator};
    std::ranges::reverse(words); // CLI11 takes them from the end
    try {
        app.parse(std::move(words));
    } catch (const CLI::CallForVersion& version) {
        return PrintCommand{std::string{version.what()} + "\n"};
    } catch (const CLI::ParseError& error) {
        if (last_part(app).get_help_ptr()->count() > 0)
            return PrintCommand{app.help()};
        refuse_words(app, error,
                     !is_run &&
                         std::ranges::find(arguments, std::string_view{"--"}) != arguments.end());
    }
    if (!result)
        refuse("there is nothing to do; write e.g. {}", run_example);
    return std::move(*result);
}

} // namespace usher
