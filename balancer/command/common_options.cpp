// SPDX-License-Identifier: MIT
#include "balancer/command/common_options.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/json/json_text.hpp"
#include "balancer/config/units/duration.hpp"
#include "balancer/config/units/limits.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <stdexcept>

namespace usher {

namespace {

// CLI11 has no place for such a thing but the name of a check, which here finds everything right.
constexpr std::string_view suggestion = "suggested: ";

/// The standard input, but no more than needed to see that it is too long.
std::string read_input()
{
    std::string text(longest_message + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), stdin));
    return text;
}

} // namespace

CLI::Option* add_value(CLI::App& part, const std::string& name, std::string& value,
                       const std::string& type, const std::string& description)
{
    const auto check = [](const std::string& text) {
        return text.empty() ? std::string{"needs a value"} : std::string{};
    };
    return part.add_option(name, value, description)->option_text(type)->check(check);
}

void suggest_words(CLI::Option& option, const std::vector<std::string>& words)
{
    CLI::Validator check{""};
    option.check(check.name(fmt::format("{}{}", suggestion, fmt::join(words, " "))));
}

std::vector<std::string> suggested_words(CLI::Option& option)
try {
    for (int i = 0;; ++i)
        if (const auto& name = option.get_validator(i)->get_name(); name.starts_with(suggestion))
            return CLI::detail::split(name.substr(suggestion.size()), ' ');
} catch (const CLI::OptionNotFound&) { // no further check
    return {};
}

void add_control_path(CLI::App& part, std::string& path)
{
    add_value(part, "--control", path, "PATH",
              "the control socket of this master (default\n"
              "$XDG_RUNTIME_DIR/usher.sock, or /run/usher.sock;\n"
              "a command looks at both)");
}

std::string make_message(const std::string& word)
try {
    return message_text(word == "-" ? read_input() : word);
} catch (const ConfigError& e) {
    throw UsageError{e.what()};
}

std::chrono::milliseconds parse_positive_time(const std::string& name, const std::string& text)
try {
    const auto time = parse_duration(text);
    if (time == time.zero())
        refuse("{}: is {}, but must be longer than 0", name, quote(text));
    return time;
} catch (const std::invalid_argument& error) {
    refuse("{}: {}", name, error.what());
}

} // namespace usher
