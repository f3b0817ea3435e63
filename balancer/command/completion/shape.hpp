// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

/// What shells are told of the command line, so that they complete it.
namespace usher::completion {

/// What stands behind an option, or as an argument.
struct Value {
    std::string type; ///< as the help calls it, e.g. FILE; empty: there is none
    bool is_path = false;
    std::vector<std::string> words; ///< those of a fixed set
    bool may_repeat = false;
};

struct Option {
    std::vector<std::string> names; ///< with their dashes
    std::string description;
    Value value;
};

/// The program, or a command of it.
struct Part {
    std::string path; ///< without the program: `store get`
    std::string name; ///< `get`
    std::string description;
    std::vector<Option> options;
    std::vector<Value> arguments;
    std::vector<Part> parts;
    bool takes_program = false; ///< behind `--`
};

/// Calls `visit` for `part`, and for all parts in it.
template <typename Visit>
void for_each_part(const Part& part, Visit visit)
{
    visit(part);
    for (const Part& each : part.parts)
        for_each_part(each, visit);
}

/// `'text'`, where a quote is written as `quote`.
[[nodiscard]] std::string quoted(const std::string& text, const std::string& quote);

} // namespace usher::completion
