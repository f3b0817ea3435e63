// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/lone_surrogates.hpp"

#include <cstddef>

namespace usher::node {

namespace {

constexpr std::size_t escape_size = 6; // \ud83d

bool is_surrogate(std::string_view text, std::string_view third_digits) noexcept
{
    return text.size() >= escape_size && text.starts_with("\\u") &&
           (text[2] == 'd' || text[2] == 'D') &&
           third_digits.find(text[3]) != std::string_view::npos;
}

bool is_high(std::string_view text) noexcept
{
    return is_surrogate(text, "89abAB");
}

bool is_low(std::string_view text) noexcept
{
    return is_surrogate(text, "cdefCDEF");
}

} // namespace

std::string replace_lone_surrogates(std::string_view json)
{
    std::string result;
    while (!json.empty()) {
        std::size_t size = json.find('\\');
        if (size == 0)
            size = is_high(json) && is_low(json.substr(escape_size)) ? 2 * escape_size
                   : is_high(json) || is_low(json)                   ? escape_size
                                                                     : 2; // another escape
        const auto part = json.substr(0, size);
        result += part.size() == escape_size && (is_high(part) || is_low(part)) ? "\\ufffd" : part;
        json.remove_prefix(part.size());
    }
    return result;
}

} // namespace usher::node
