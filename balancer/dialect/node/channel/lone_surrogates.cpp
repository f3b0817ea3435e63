// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/lone_surrogates.hpp"

#include <algorithm>
#include <cstddef>

namespace usher::node {

namespace {

constexpr std::size_t escape_size = 6; // \ud83d

/// Which half of a character `json` begins with, the first or the second; 0 if with none.
int half_at(std::string_view json) noexcept
{
    constexpr std::string_view digits = "89abcdef";
    constexpr auto lower = [](char digit) { return static_cast<char>(digit | 0x20); };
    if (json.size() < escape_size || !json.starts_with("\\u") || lower(json[2]) != 'd')
        return 0;
    const auto third = digits.find(lower(json[3]));
    return third < 4 ? 1 : third < 8 ? 2 : 0;
}

} // namespace

std::string replace_lone_surrogates(std::string_view json)
{
    std::string result;
    while (!json.empty()) {
        const int half = half_at(json);
        const bool is_pair = half == 1 && half_at(json.substr(escape_size)) == 2;
        const bool is_lone = half != 0 && !is_pair;
        const auto size = is_lone           ? escape_size
                          : is_pair         ? 2 * escape_size
                          : json[0] == '\\' ? 2 // another escape
                                            : std::min(json.find('\\'), json.size());
        result += is_lone ? "\\ufffd" : json.substr(0, size);
        json.remove_prefix(std::min(size, json.size()));
    }
    return result;
}

} // namespace usher::node
