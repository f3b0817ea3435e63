// SPDX-License-Identifier: MIT
#include "balancer/command/completion/scripts.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace usher::completion::zsh {

namespace {

constexpr auto head = R"(#compdef usher
# Completion of usher for zsh, as `usher completion zsh` writes it.
)";

constexpr auto behind_dashes = R"(    local end=${words[(i)--]}
    if ((end < CURRENT)); then
        shift end words
        ((CURRENT -= end))
        _normal
        return
    fi
)";

// Either zsh has loaded this file to complete a word, or a shell reads it as it starts.
constexpr auto tail = R"(
if [[ $funcstack[1] == _usher ]]; then
    _usher "$@"
else
    compdef _usher usher
fi
)";

std::string function_of(const Part& part)
{
    std::string name = "_usher " + part.path;
    if (part.path.empty())
        name.pop_back();
    std::ranges::replace(name, ' ', '_');
    return name;
}

/// In _arguments and _describe these have a meaning.
std::string escaped(const std::string& text)
{
    std::string result;
    for (const char c : text) {
        if (std::string_view{"[]:\\"}.find(c) != std::string_view::npos)
            result += '\\';
        result += c;
    }
    return result;
}

/// `:FILE:_files`
std::string message_of(const Value& value)
{
    const auto action = value.is_path         ? "_files"
                        : value.words.empty() ? " "
                                              : fmt::format("({})", fmt::join(value.words, " "));
    return fmt::format(":{}:{}", escaped(value.type), action);
}

std::string option_line(const Option& option, const std::string& name)
{
    const bool has_value = !option.value.type.empty();
    // One that may come again excludes nothing.
    const auto excluded = option.value.may_repeat
                              ? std::string{"*"}
                              : fmt::format("({})", fmt::join(option.names, " "));
    return fmt::format("{}{}{}[{}]{}", excluded, name, has_value ? "=" : "",
                       escaped(option.description), has_value ? message_of(option.value) : "");
}

void add(const Part& part, std::string& text)
{
    std::vector<std::string> lines;
    for (const Option& option : part.options)
        for (const auto& name : option.names)
            lines.push_back(option_line(option, name));
    for (const Value& value : part.arguments)
        lines.push_back((value.may_repeat ? "*" : "") + message_of(value));
    if (!part.parts.empty())
        lines.insert(lines.end(), {":command:->command", "*::argument:->argument"});

    std::vector<std::string> specifications;
    for (const auto& line : lines)
        specifications.push_back(quoted(line, R"('\'')"));
    text +=
        fmt::format("\n{}() {{\n{}", function_of(part), part.takes_program ? behind_dashes : "");
    if (part.parts.empty()) {
        text += fmt::format("    _arguments \\\n        {}\n}}\n",
                            fmt::join(specifications, " \\\n        "));
        return;
    }
    text += fmt::format("    local context state state_descr line\n"
                        "    typeset -A opt_args\n"
                        "    _arguments -C \\\n        {} && return\n"
                        "    case $state in\n"
                        "        command)\n"
                        "            local -a commands=(\n",
                        fmt::join(specifications, " \\\n        "));
    for (const Part& each : part.parts)
        text += fmt::format("                {}\n",
                            quoted(each.name + ":" + escaped(each.description), R"('\'')"));
    text += "            )\n"
            "            _describe command commands\n"
            "            ;;\n"
            "        argument)\n"
            "            case $words[1] in\n";
    for (const Part& each : part.parts)
        text += fmt::format("                {}) {} ;;\n", each.name, function_of(each));
    text += "            esac\n"
            "            ;;\n"
            "    esac\n"
            "}\n";
}

} // namespace

std::string script(const Part& program)
{
    std::string text = head;
    for_each_part(program, [&](const Part& part) { add(part, text); });
    return text + tail;
}

} // namespace usher::completion::zsh
