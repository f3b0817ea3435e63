// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/command/usage_error.hpp"
#include "common/text/one_line.hpp"

#include <charconv>
#include <chrono>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace usher {

constexpr std::string_view run_example = "usher run --listen 8000 -- ./my-server";

/// At the end of the help of every command.
constexpr std::string_view exit_codes = R"(
Exit codes:
  0   done
  1   failed, and what served before serves on; or the output was lost
  2   wrong usage, or an address is in use
  3   wrong configuration
)";

/// And of those that ask a running master.
constexpr std::string_view control_exit_codes =
    R"(  4   no usher is running there, or it ended while one listened
  5   rolled back: the new generation crashed, the old one serves
  6   no result within --timeout
)";

/// An option that is given once, with a value that is not empty.
CLI::Option* add_value(CLI::App& part, const std::string& name, std::string& value,
                       const std::string& type, const std::string& description);

/// Says which words `option` knows, for shells to complete; whoever reads its value decides whether
/// it is one.
void suggest_words(CLI::Option& option, const std::vector<std::string>& words);

/// The same of a table of names.
template <typename All>
void suggest_names(CLI::Option& option, const All& names)
{
    std::vector<std::string> words;
    for (const auto& entry : names)
        words.emplace_back(entry.name);
    suggest_words(option, words);
}

[[nodiscard]] std::vector<std::string> suggested_words(CLI::Option& option);

/// `--control PATH`
void add_control_path(CLI::App& part, std::string& path);

/// JSON to be sent: `word`, or what stands on the standard input if it is `-`.
[[nodiscard]] std::string make_message(const std::string& word);

/// What the option `name` says.
[[nodiscard]] std::chrono::milliseconds parse_positive_time(const std::string& name,
                                                            const std::string& text);

/// The same.
template <typename Number>
[[nodiscard]] Number parse_whole(const std::string& name, const std::string& text, Number least)
{
    Number number{};
    const auto* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || rest != end || number < least)
        refuse("{}: is {}, but must be a whole number from {} to {}", name, quote(text), least,
               std::numeric_limits<Number>::max());
    return number;
}

} // namespace usher
