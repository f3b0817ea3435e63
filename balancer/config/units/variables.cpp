// SPDX-License-Identifier: MIT
#include "balancer/config/units/variables.hpp"

#include "balancer/config/units/slot_text.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <utility>

namespace usher {

namespace {

constexpr std::string_view variable_forms =
    "write ${NAME} or ${NAME:-default}, or $${ where no variable is meant";

bool is_variable_name(std::string_view name)
{
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz"
                                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    constexpr std::string_view digits = "0123456789";
    return !name.empty() && letters.find(name.front()) != std::string_view::npos &&
           std::ranges::all_of(name, [&](char c) {
               return letters.find(c) != std::string_view::npos ||
                      digits.find(c) != std::string_view::npos;
           });
}

[[noreturn]] void refuse(const std::string& problem)
{
    throw std::invalid_argument{problem};
}

/// The default of a variable, in which `$$` is `$` as everywhere.
std::string default_of(std::string_view text)
{
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text.substr(at).starts_with("${"))
            refuse(fmt::format("has a variable in the default of another, {}, which cannot be; {}",
                               quote(text), variable_forms));
        if (text.substr(at).starts_with("$$"))
            ++at;
        result += text[at];
    }
    return result;
}

/// What stands between the braces of a variable that is not the slot.
std::string value_of_variable(std::string_view inside, const VariableLookup& value_of)
{
    const auto mark = inside.find(":-");
    const std::string name{inside.substr(0, mark)};
    if (!is_variable_name(name))
        refuse(fmt::format("has ${{{}}} in it, which is no variable; {}", printable(inside),
                           variable_forms));
    auto value = value_of(name);
    if (mark != std::string_view::npos) {
        auto fallback = default_of(inside.substr(mark + 2)); // checked though it may not be needed
        return !value || value->empty() ? std::move(fallback) : std::move(*value);
    }
    if (!value)
        refuse(fmt::format("the variable {0} is not set in usher's environment; set it, or say "
                           "what is meant without it, as in ${{{0}:-default}}",
                           name));
    return std::move(*value);
}

} // namespace

Expansion expand(std::string_view text, const VariableLookup& value_of, SlotMark slot)
{
    const auto as_it_is = [slot](std::string_view literal, bool before_slot) {
        return slot == SlotMark::kept ? slot_text_of(literal, before_slot) : std::string{literal};
    };
    Expansion result;
    std::string literal; // since the last slot
    for (std::size_t at = 0; at < text.size();) {
        const auto rest = text.substr(at);
        if (rest.starts_with("$$")) {
            literal += '$';
            at += 2;
        } else if (!rest.starts_with("${")) {
            literal += rest.front();
            ++at;
        } else {
            const auto end = rest.find('}');
            if (end == std::string_view::npos)
                refuse(fmt::format("has ${{ without a }} behind it; {}", variable_forms));
            const auto inside = rest.substr(2, end - 2);
            at += end + 1;
            if (inside == "slot" && slot == SlotMark::refused)
                refuse("has ${slot} in it, which can stand only in the values of env, in command, "
                       "in output.file and in output.errors; remove it");
            if (inside == "slot") {
                result.text += as_it_is(std::exchange(literal, {}), true);
                result.text += slot_mark;
                continue;
            }
            literal += value_of_variable(inside, value_of);
            result.is_lone = end + 1 == text.size();
        }
    }
    result.text += as_it_is(literal, false);
    return result;
}

std::string escape_variables(std::string_view text, SlotMark slot)
{
    constexpr auto name = slot_mark.substr(1);
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto rest = text.substr(at);
        if (slot == SlotMark::kept && rest.front() == '$') {
            const auto dollars = std::min(rest.find_first_not_of('$'), rest.size());
            if (rest.substr(dollars).starts_with(name)) { // written in the same way
                result.append(dollars, '$');
                at += dollars - 1;
                continue;
            }
        }
        result += rest.front();
        if (rest.starts_with("$$") || rest.starts_with("${"))
            result += '$';
    }
    return result;
}

bool has_variable(std::string_view text) noexcept
{
    return text.find("${") != std::string_view::npos;
}

} // namespace usher
