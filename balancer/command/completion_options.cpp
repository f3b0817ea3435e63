// SPDX-License-Identifier: MIT
#include "balancer/command/completion_options.hpp"

#include "balancer/command/common_options.hpp"
#include "balancer/command/completion/scripts.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace usher {

namespace {

constexpr std::array shells{std::pair{"bash", &completion::bash::script},
                            std::pair{"fish", &completion::fish::script},
                            std::pair{"zsh", &completion::zsh::script}};

/// What fits beside a word in a list: the description up to its first detail.
std::string short_text(const std::string& description)
{
    std::string text = description;
    std::ranges::replace(text, '\n', ' ');
    for (const std::string_view detail : {" (", ", e.g.", ": ", "; "})
        text.resize(std::min(text.find(detail), text.size()));
    return text;
}

completion::Value describe_value(CLI::Option& option)
{
    if (option.get_items_expected_max() == 0) // a flag
        return {};
    const auto type = option.get_positional() ? option.get_name() : option.get_option_text();
    return {.type = type,
            .is_path = type == "FILE" || type == "PATH",
            .words = suggested_words(option),
            .may_repeat = option.get_items_expected_max() > 1};
}

completion::Part describe(CLI::App& app, const std::string& path)
{
    completion::Part part{.path = path,
                          .name = app.get_name(),
                          .description = short_text(app.get_description()),
                          .takes_program = path == "run"};
    for (auto* const option : app.get_options()) {
        auto value = describe_value(*option);
        if (option->get_positional()) {
            part.arguments.push_back(std::move(value));
            continue;
        }
        std::vector<std::string> names;
        for (const auto& name : option->get_snames())
            names.push_back("-" + name);
        for (const auto& name : option->get_lnames())
            names.push_back("--" + name);
        part.options.push_back({.names = std::move(names),
                                .description = short_text(option->get_description()),
                                .value = std::move(value)});
    }
    for (auto* const each : app.get_subcommands({}))
        part.parts.push_back(describe(*each, path + (path.empty() ? "" : " ") + each->get_name()));
    return part;
}

} // namespace

void add_completion(CLI::App& app, std::optional<Command>& result)
{
    auto& part = *app.add_subcommand("completion", "print what has a shell complete this command");
    std::vector<std::string> names;
    for (const auto& [name, script] : shells)
        names.emplace_back(name);
    auto& shell = *part.add_option_function<std::string>(
        "bash|fish|zsh",
        [&](const std::string& word) {
            const auto* const found = std::ranges::find(
                shells, word, [](const auto& each) { return std::string_view{each.first}; });
            if (found == shells.end())
                refuse("{} is no shell that is known; say bash, fish or zsh", quote(word));
            result = PrintCommand{found->second(describe(app, ""))};
        },
        "for which shell");
    suggest_words(*shell.required()->option_text(" "), names);
    part.footer(std::string{exit_codes});
}

} // namespace usher
