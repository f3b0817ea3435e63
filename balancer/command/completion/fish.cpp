// SPDX-License-Identifier: MIT
#include "balancer/command/completion/scripts.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

namespace usher::completion::fish {

namespace {

constexpr auto head = R"fish(# Completion of usher for fish, as `usher completion fish` writes it.

function __usher_part --description 'The command of usher so far; -- where it is that of a worker'
    set -l part
    set -l is_value 0
    for word in (commandline -opc)[2..]
        if test $is_value = 1
            set is_value 0
            continue
        end
        switch "$part:$word"
)fish";

constexpr auto tail = R"fish(        end
    end
    echo "$part"
end

function __usher_at
    test "$(__usher_part)" = "$argv[1]"
end

function __usher_program --description 'Completes the command of a worker'
    set -l words (commandline -opc)
    set -e words[1..(contains -i -- -- $words)]
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end

complete -c usher -f
complete -c usher -n '__usher_at --' -x -a '(__usher_program)'
)fish";

std::string key(const Part& part, const std::string& word)
{
    return fmt::format("'{}:{}'", part.path, word);
}

std::string quoted(const std::string& text)
{
    std::string escaped;
    for (const char c : text)
        escaped += c == '\\' ? R"(\\)" : std::string{c};
    return completion::quoted(escaped, R"(\')");
}

/// `complete` for what may stand at `part`.
std::string rule(const Part& part, const std::string& what, const std::string& description)
{
    const auto condition = quoted(fmt::format("__usher_at \"{}\"", part.path));
    return fmt::format("complete -c usher -n {} {}{}\n", condition, what,
                       description.empty() ? "" : " -d " + quoted(description));
}

std::string option_rule(const Part& part, const Option& option)
{
    std::string what;
    for (const auto& name : option.names)
        what +=
            name.starts_with("--") ? "-l " + name.substr(2) + " " : "-s " + name.substr(1) + " ";
    const Value& value = option.value;
    if (value.type.empty())
        what.pop_back();
    else if (value.is_path)
        what += "-r -F";
    else if (value.words.empty())
        what += "-x";
    else
        what += fmt::format("-x -a '{}'", fmt::join(value.words, " "));
    return rule(part, what, option.description);
}

} // namespace

std::string script(const Part& program)
{
    std::string cases;
    std::string rules;
    for_each_part(program, [&](const Part& part) {
        if (part.takes_program)
            cases += fmt::format("            case {}\n                echo -- --\n"
                                 "                return\n",
                                 key(part, "--"));
        for (const Part& each : part.parts) {
            cases += fmt::format("            case {}\n                set part '{}'\n",
                                 key(part, each.name), each.path);
            rules += rule(part, "-a " + each.name, each.description);
        }
        for (const Option& option : part.options) {
            rules += option_rule(part, option);
            for (const auto& name : option.names)
                if (!option.value.type.empty())
                    cases += fmt::format("            case {}\n                set is_value 1\n",
                                         key(part, name));
        }
        if (!part.arguments.empty() && !part.arguments.front().words.empty())
            rules += rule(part,
                          fmt::format("-a '{}'", fmt::join(part.arguments.front().words, " ")), "");
    });
    return head + cases + tail + rules;
}

} // namespace usher::completion::fish
