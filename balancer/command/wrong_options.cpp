// SPDX-License-Identifier: MIT
#include "balancer/command/wrong_options.hpp"

#include "balancer/command/common_options.hpp"
#include "balancer/command/usage_error.hpp"
#include "balancer/config/json/nearest_name.hpp"
#include "common/text/one_line.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

namespace {

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

const CLI::App& last_part(const CLI::App& app)
{
    const auto* part = &app;
    for (auto parsed = app.get_subcommands(); !parsed.empty(); parsed = part->get_subcommands())
        part = parsed.front();
    return *part;
}

void refuse_words(const CLI::App& app, const CLI::ParseError& error, bool has_separator)
{
    const auto& part = last_part(app);
    for (const auto* const each : {&app, &part})
        for (const auto& word : each->remaining())
            if (word != "--") // behind which what is too much comes back to the first
                refuse_word(word, has_separator ? part : *each);
    refuse_error(error, part);
}

} // namespace usher
