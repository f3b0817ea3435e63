// SPDX-License-Identifier: MIT
#include "balancer/config/env_file.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/trusted_file.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>

namespace usher {

namespace {

/// Names of environment variables that begin so belong to usher.
constexpr std::string_view reserved_prefix = "USHER_";

constexpr std::string_view blanks = " \t";

std::string_view without_blanks_before(std::string_view text)
{
    return text.substr(std::min(text.find_first_not_of(blanks), text.size()));
}

std::string_view without_blanks_behind(std::string_view text)
{
    return text.substr(0, text.find_last_not_of(blanks) + 1); // npos + 1 is 0
}

/// What a backslash and `c` are in double quotes; nothing if both stand for themselves.
std::optional<char> escaped(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case '"':
    case '\\':
    case '$':
    case '`':
        return c;
    default:
        return std::nullopt;
    }
}

class Parser {
public:
    Parser(std::string_view text, std::string_view file) : rest_{text}, file_{file}
    {
        constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
        if (rest_.starts_with(byte_order_mark))
            rest_.remove_prefix(byte_order_mark.size());
    }

    std::map<std::string, std::string> parse()
    {
        for (; !rest_.empty(); ++line_)
            parse_line();
        return std::move(variables_);
    }

private:
    [[noreturn]] void fail(std::size_t line, std::string_view problem) const
    {
        throw ConfigError{file_, "", fmt::format("line {}: {}", line, problem)};
    }

    /// What is left of the line, which is then read.
    std::string_view take_line()
    {
        const auto end = std::min(rest_.find('\n'), rest_.size());
        auto line = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        return line;
    }

    /// Errors do not say what stands there: it may be a part of somebody's key.
    void parse_line()
    {
        rest_ = without_blanks_before(rest_);
        const auto line = rest_.substr(0, rest_.find('\n'));
        if (line.empty() || line == "\r" || line.front() == '#') {
            std::ignore = take_line();
            return;
        }
        const auto first_line = line_;
        const auto equals = line.find('=');
        if (equals == std::string_view::npos)
            fail(line_, "has no =; write NAME=value, and a value of several lines in quotes");
        auto name = line.substr(0, equals);
        constexpr std::string_view word = "export";
        if (name.starts_with(word) && name.substr(word.size()).find_first_of(blanks) == 0)
            name = without_blanks_before(name.substr(word.size()));
        check_name(name);
        rest_ = without_blanks_before(rest_.substr(equals + 1));
        std::string value = rest_.starts_with('\'')  ? single_quoted()
                            : rest_.starts_with('"') ? double_quoted()
                                                     : unquoted();
        if (value.find('\0') != std::string::npos)
            fail(first_line, fmt::format("{} has a zero byte in its value; remove it", name));
        variables_.insert_or_assign(std::string{name}, std::move(value));
    }

    void check_name(std::string_view name) const
    {
        constexpr unsigned char delete_character = 0x7f;
        if (std::ranges::any_of(name, [](unsigned char c) {
                return (c <= ' ' && c != '\0') || c == '"' || c == '\'' || c == delete_character;
            }))
            fail(line_, "has a blank or a quote in the name; write NAME=value");
        if (const auto problem = variable_name_problem(name); !problem.empty())
            fail(line_, name.empty() ? problem : fmt::format("{}: {}", quote(name), problem));
    }

    std::string unquoted()
    {
        auto line = take_line();
        for (std::size_t at = 0; at < line.size(); ++at)
            if (line[at] == '#' && (at == 0 || blanks.find(line[at - 1]) != blanks.npos))
                line = line.substr(0, at);
        return std::string{without_blanks_behind(line)};
    }

    std::string single_quoted()
    {
        const auto first_line = line_;
        const auto end = rest_.find('\'', 1);
        if (end == std::string_view::npos)
            fail(first_line, "has a ' without a second one; add it");
        std::string value{rest_.substr(1, end - 1)};
        rest_.remove_prefix(end + 1);
        end_quoted(value);
        return value;
    }

    std::string double_quoted()
    {
        std::string value;
        std::size_t lines = 0; // also those behind a backslash
        for (std::size_t at = 1; at < rest_.size(); ++at) {
            if (rest_[at] == '"') {
                rest_.remove_prefix(at + 1);
                end_quoted(lines);
                return value;
            }
            const auto other =
                rest_[at] == '\\' && at + 1 < rest_.size() ? escaped(rest_[at + 1]) : std::nullopt;
            at += other ? 1 : 0;
            lines += rest_[at] == '\n' ? 1 : 0;
            value += other ? *other : rest_[at];
        }
        fail(line_, "has a \" without a second one; add it");
    }

    void end_quoted(std::string_view value)
    {
        end_quoted(static_cast<std::size_t>(std::ranges::count(value, '\n')));
    }

    void end_quoted(std::size_t lines)
    {
        line_ += lines;
        const auto line = take_line();
        const auto behind = without_blanks_before(line);
        if (!behind.empty() && (behind.front() != '#' || behind.size() == line.size()))
            fail(line_, "has something behind the closing quote; put all of the value into quotes");
    }

    std::string_view rest_;
    std::string_view file_;
    std::size_t line_ = 1;
    std::map<std::string, std::string> variables_;
};

} // namespace

std::map<std::string, std::string> parse_env_file(std::string_view text, std::string_view file)
{
    return Parser{text, file}.parse();
}

std::map<std::string, std::string> read_env_files(const std::vector<std::string>& files)
{
    std::map<std::string, std::string> variables;
    for (const auto& file : files)
        for (auto& [name, value] : parse_env_file(read_trusted_file(file, FileKind::regular), file))
            variables.insert_or_assign(name, std::move(value));
    return variables;
}

std::string variable_name_problem(std::string_view name)
{
    if (name.empty())
        return "has an empty name; name the variable";
    if (name.find('=') != std::string_view::npos)
        return "has \"=\" in its name; choose a name without it";
    if (name.find('\0') != std::string_view::npos)
        return "has a zero byte (\\u0000) in its name; remove it";
    if (name.starts_with(reserved_prefix))
        return fmt::format("names that begin with {} are reserved; choose another name",
                           reserved_prefix);
    return {};
}

} // namespace usher
