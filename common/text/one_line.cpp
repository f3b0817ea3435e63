// SPDX-License-Identifier: MIT
#include "common/text/one_line.hpp"

#include <fmt/core.h>

namespace usher {

namespace {

constexpr unsigned char_at(std::string_view text, std::size_t i)
{
    return static_cast<unsigned char>(text[i]);
}

/// The character that `text` begins with, and how many bytes it has.
struct Character {
    unsigned code = 0;
    std::size_t size = 1;
    bool is_control = false; ///< or changes how what follows is shown, or is no UTF-8
};

constexpr bool is_control(unsigned code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) ||       // e.g. U+009B, as good as ESC [
           code == 0x2028 || code == 0x2029 ||                   // ends of lines and paragraphs
           code == 0x061c || code == 0x200e || code == 0x200f || // these turn the direction
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

constexpr Character character_of(std::string_view text)
{
    const auto first = char_at(text, 0);
    if (first < 0x80)
        return {.code = first, .is_control = is_control(first)};
    const Character invalid{.code = first, .is_control = true};
    const std::size_t size = first < 0xc2 || first > 0xf4 ? 0
                             : first < 0xe0               ? 2
                             : first < 0xf0               ? 3
                                                          : 4;
    if (size == 0 || text.size() < size)
        return invalid;
    unsigned code = first & (0xffU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        if ((char_at(text, i) & 0xc0U) != 0x80U)
            return invalid;
        code = code << 6 | (char_at(text, i) & 0x3fU);
    }
    // Written too long, half a character of UTF-16, or behind the last one: whoever shows them may
    // take their bytes one by one.
    if ((size == 3 && code < 0x800) || (size == 4 && code < 0x10000) ||
        (code >= 0xd800 && code < 0xe000) || code > 0x10ffff)
        return invalid;
    return {.code = code, .size = size, .is_control = is_control(code)};
}

template <typename Replace>
std::string without_controls(std::string_view text, Replace&& replace)
{
    std::string line;
    line.reserve(text.size());
    while (!text.empty()) {
        const auto character = character_of(text);
        if (character.is_control)
            line += replace(character.code);
        else
            line += text.substr(0, character.size);
        text.remove_prefix(character.size);
    }
    return line;
}

std::string cut(std::string_view text, std::size_t longest, std::string (*make)(std::string_view))
{
    if (text.size() <= longest)
        return make(text);
    // The further bytes of a character begin with the bits 10.
    while (longest > 0 && (char_at(text, longest) & 0xc0U) == 0x80U)
        --longest;
    return make(text.substr(0, longest)) + "...";
}

std::string escape_control(unsigned code)
{
    return code == '\n' ? "\\n" : code == '\t' ? "\\t" : fmt::format("\\u{:04x}", code);
}

} // namespace

std::string on_one_line(std::string_view text, std::size_t longest)
{
    return cut(text, longest, [](std::string_view part) {
        return without_controls(part, [](unsigned) { return ' '; });
    });
}

std::string json_on_one_line(std::string_view json)
{
    // Below a blank are those alone that may stand between its strings.
    return without_controls(
        json, [](unsigned code) { return code < 0x20 ? std::string{' '} : escape_control(code); });
}

std::string printable(std::string_view text, std::size_t longest)
{
    return cut(text, longest, escape);
}

std::string quote(std::string_view text)
{
    return '"' + printable(text) + '"';
}

std::string escape(std::string_view text)
{
    std::string quoted;
    for (const char c : text) {
        if (c == '"' || c == '\\')
            quoted += '\\';
        quoted += c;
    }
    return without_controls(quoted, escape_control);
}

} // namespace usher
