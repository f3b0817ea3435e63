// SPDX-License-Identifier: MIT
#include "balancer/command/completion/scripts.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

namespace usher::completion::bash {

namespace {

// $part is the command so far, $option the one whose value comes next.  readline cuts words at each
// =, so that --pool=web is three.
constexpr auto head = R"(# Completion of usher for bash, as `usher completion bash` writes it.

_usher() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local part='' option='' arguments=0 words='' options='' word i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; ++i)); do
        word=${COMP_WORDS[i]}
        if [[ $word == '=' ]]; then
            continue
        elif [[ -n $option ]]; then
            option=''
            continue
        fi
        case "$part:$word" in
)";

constexpr auto behind_dashes = R"(
                if declare -F _command_offset >/dev/null; then
                    _command_offset $((i + 1))
                elif ((COMP_CWORD == i + 1)); then
                    mapfile -t COMPREPLY < <(compgen -c -- "$current")
                else
                    compopt -o filenames 2>/dev/null
                    mapfile -t COMPREPLY < <(compgen -f -- "$current")
                fi
                return
                ;;
)";

constexpr auto values = R"(            *:-*) ;;
            *) ((++arguments)) ;;
        esac
    done
    if [[ $current == '=' ]]; then
        previous='='
        current=''
    fi
    case "$part:$option" in
)";

constexpr auto complete_paths = R"(
            compopt -o filenames 2>/dev/null # readline may not have called
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
            ;;
)";

constexpr auto names = R"(        *:?*) return ;;
    esac
    if [[ -z $option ]]; then
        [[ $previous != '=' ]] || return 0
        case "$part:$arguments" in
)";

constexpr auto tail = R"(        esac
        [[ $current != -* && -n $words ]] || words=$options
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _usher usher
)";

/// All that `case` tells apart.
struct Cases {
    std::vector<std::string> parts, programs, valued, paths, words, names;
};

std::string key(const Part& part, const std::string& word)
{
    return fmt::format("'{}:{}'", part.path, word);
}

void add_options(const Part& part, Cases& cases)
{
    for (const Option& option : part.options) {
        if (option.value.type.empty())
            continue;
        for (const auto& name : option.names) {
            const auto at = key(part, name);
            cases.valued.push_back(at);
            if (option.value.is_path)
                cases.paths.push_back(at);
            else if (!option.value.words.empty())
                cases.words.push_back(fmt::format("        {}) words='{}' ;;\n", at,
                                                  fmt::join(option.value.words, " ")));
        }
    }
}

/// What may stand next: commands, options, words of the first argument.
void add_names(const Part& part, Cases& cases)
{
    std::vector<std::string> options;
    for (const Option& option : part.options)
        options.insert(options.end(), option.names.begin(), option.names.end());
    if (part.takes_program)
        options.emplace_back("--");
    std::vector<std::string> words;
    for (const Part& each : part.parts)
        words.push_back(each.name);
    if (!part.arguments.empty())
        words = part.arguments.front().words;
    if (!words.empty())
        cases.names.push_back(
            fmt::format("            {}) words='{}' ;;&\n", key(part, "0"), fmt::join(words, " ")));
    cases.names.push_back(
        fmt::format("            '{}:'*) options='{}' ;;\n", part.path, fmt::join(options, " ")));
}

/// The line of `case` for all of `keys`.
std::string either(const std::vector<std::string>& keys)
{
    return fmt::format("{})", fmt::join(keys, " | "));
}

} // namespace

std::string script(const Part& program)
{
    Cases cases;
    for_each_part(program, [&](const Part& part) {
        for (const Part& each : part.parts)
            cases.parts.push_back(
                fmt::format("            {}) part='{}' ;;\n", key(part, each.name), each.path));
        if (part.takes_program)
            cases.programs.push_back(key(part, "--"));
        add_options(part, cases);
        add_names(part, cases);
    });
    std::string text = head;
    text += "            " + either(cases.programs) + behind_dashes;
    text += "            " + either(cases.valued) + " option=$word ;;\n";
    for (const auto& line : cases.parts)
        text += line;
    text += values;
    text += "        " + either(cases.paths) + complete_paths;
    for (const auto& line : cases.words)
        text += line;
    text += names;
    for (const auto& line : cases.names)
        text += line;
    return text + tail;
}

} // namespace usher::completion::bash
