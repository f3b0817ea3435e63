// SPDX-License-Identifier: MIT
#include "tests/fuzz/mutator.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace usher::fuzz {

namespace {

using namespace std::string_view_literals;

/// What parsers count, end at, or take for something else.
constexpr std::array interesting{
    "\0"sv,
    "\x7f"sv,
    "\x80"sv,
    "\xff"sv,
    "\xff\xff"sv,
    "\0\0\0\0"sv,
    "\xff\xff\xff\xff"sv,
    "\xff\xff\xff\x7f"sv,
    "\n"sv,
    "\r\n"sv,
    " "sv,
    "\""sv,
    "\\"sv,
    "\\ud83d"sv,
    "{"sv,
    "}"sv,
    "["sv,
    "]"sv,
    ":"sv,
    ","sv,
    "="sv,
    "/"sv,
    "%"sv,
    "0"sv,
    "-1"sv,
    "65536"sv,
    "4294967296"sv,
    "18446744073709551616"sv,
    "1e999"sv,
    "null"sv,
    "\xc3\xa9"sv,
    "\xed\xa0\x80"sv,
};

constexpr std::size_t longest = 16UL * 1024;

} // namespace

std::size_t Mutator::below(std::size_t bound)
{
    return bound == 0 ? 0 : random_() % bound;
}

std::string Mutator::piece_of(const std::string& text)
{
    const auto start = below(text.size());
    return text.substr(start, 1 + below(std::min<std::size_t>(text.size(), 64)));
}

void Mutator::mutate(std::string& text)
{
    const auto at = below(text.size() + 1);
    switch (below(7)) {
    case 0:
        if (at < text.size())
            text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
    case 1:
        if (at < text.size())
            text[at] = static_cast<char>(below(256));
        break;
    case 2:
        text.erase(at, 1 + below(16));
        break;
    case 3:
        text.insert(at, interesting.at(below(interesting.size())));
        break;
    case 4: {
        const auto word = interesting.at(below(interesting.size()));
        text.replace(at, word.size(), word);
        break;
    }
    case 5:
        text.insert(at, piece_of(text));
        break;
    default:
        text.replace(at, below(64), piece_of(corpus_[below(corpus_.size())]));
        break;
    }
}

std::string Mutator::next()
{
    auto text = corpus_[below(corpus_.size())];
    for (auto left = 1 + below(4); left > 0; --left)
        mutate(text);
    text.resize(std::min(text.size(), longest));
    return text;
}

} // namespace usher::fuzz
