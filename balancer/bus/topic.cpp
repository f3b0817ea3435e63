// SPDX-License-Identifier: MIT
#include "balancer/bus/topic.hpp"

#include <algorithm>

namespace usher {

namespace {

bool is_word(std::string_view word) noexcept
{
    return !word.empty() && std::ranges::all_of(word, [](char c) {
        return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '*' && c != '>';
    });
}

template <typename IsWord>
bool all_words(std::string_view text, const IsWord& is_good) noexcept
{
    if (text.empty() || text.size() > longest_topic || text.ends_with('.'))
        return false;
    std::size_t count = 0;
    while (!text.empty())
        if (const auto word = take_word(text); ++count > most_topic_words || !is_good(word, text))
            return false;
    return true;
}

} // namespace

bool is_topic(std::string_view text) noexcept
{
    return all_words(text, [](std::string_view word, std::string_view) { return is_word(word); });
}

bool is_pattern(std::string_view text) noexcept
{
    return all_words(text, [](std::string_view word, std::string_view rest) {
        return is_word(word) || word == "*" || (word == ">" && rest.empty());
    });
}

} // namespace usher
