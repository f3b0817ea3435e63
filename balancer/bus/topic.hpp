// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

/// Topics are words joined by dots; in a pattern `*` stands for one word and `>` at the end for one
/// or more: as in NATS, so that a bridge to it need translate nothing.
namespace usher {

inline constexpr std::size_t longest_topic = 255;
inline constexpr std::size_t most_topic_words = 32;

[[nodiscard]] bool is_topic(std::string_view text) noexcept;
[[nodiscard]] bool is_pattern(std::string_view text) noexcept;

/// What topics must be: a clause for errors.
inline constexpr std::string_view topic_rule =
    "words of printable ASCII without blanks, quotes, backslashes, * or >, joined by dots, at most "
    "32 of them and 255 bytes";
inline constexpr std::string_view pattern_rule =
    "a topic in which * may stand for a word and > at the end for one or more";

[[nodiscard]] constexpr std::size_t count_words(std::string_view topic) noexcept
{
    return 1 + static_cast<std::size_t>(std::ranges::count(topic, '.'));
}

/// Topics of the master's own, on which nobody else may publish.
[[nodiscard]] constexpr bool is_reserved_topic(std::string_view topic) noexcept
{
    return topic.starts_with("usher.") || topic == "usher";
}

/// The first word of `rest`, which loses it and the dot behind.
[[nodiscard]] constexpr std::string_view take_word(std::string_view& rest) noexcept
{
    const auto word = rest.substr(0, rest.find('.'));
    rest.remove_prefix(word.size() < rest.size() ? word.size() + 1 : word.size());
    return word;
}

} // namespace usher
