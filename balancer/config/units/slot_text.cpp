// SPDX-License-Identifier: MIT
#include "balancer/config/units/slot_text.hpp"

#include <cstddef>
#include <tuple>

namespace usher {

namespace {

constexpr std::string_view slot_name = "{slot}";

std::size_t dollars_at_end(std::string_view text)
{
    const auto other = text.find_last_not_of('$'); // npos + 1 is 0
    return text.size() - (other + 1);
}

/// Gives `on_name` what stands before each `{slot}` and how many dollars of it are right before
/// that; returns what is left.
template <typename OnName>
std::string_view split(std::string_view text, OnName on_name)
{
    for (auto at = text.find(slot_name); at != std::string_view::npos; at = text.find(slot_name)) {
        const auto before = text.substr(0, at);
        on_name(before, dollars_at_end(before));
        text.remove_prefix(at + slot_name.size());
    }
    return text;
}

} // namespace

std::string fill_slot(std::string_view text, unsigned slot)
{
    std::string result;
    const auto rest = split(text, [&](std::string_view before, std::size_t dollars) {
        before.remove_suffix(dollars - dollars / 2);
        result += before;
        result += dollars % 2 == 1 ? std::to_string(slot) : std::string{slot_name};
    });
    return result += rest;
}

bool has_slot(std::string_view text)
{
    bool found = false;
    std::ignore =
        split(text, [&](std::string_view, std::size_t dollars) { found |= dollars % 2 == 1; });
    return found;
}

std::string slot_text_of(std::string_view literal, bool before_slot)
{
    std::string result;
    const auto rest = split(literal, [&](std::string_view before, std::size_t dollars) {
        result.append(before).append(dollars, '$').append(slot_name);
    });
    result += rest;
    return before_slot ? result.append(dollars_at_end(rest), '$') : result;
}

} // namespace usher
