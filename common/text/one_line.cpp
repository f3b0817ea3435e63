// SPDX-License-Identifier: MIT
#include "common/text/one_line.hpp"

#include <fmt/core.h>

namespace usher {

namespace {

constexpr unsigned char_at(std::string_view text, std::size_t i)
{
    return static_cast<unsigned char>(text[i]);
}

/// The control character that `text` begins with, and how many bytes it has.
struct Control {
    unsigned code = 0;
    std::size_t size = 0; ///< 0: it begins with another
};

constexpr Control control_of(std::string_view text)
{
    const auto first = char_at(text, 0);
    if (first < 0x20 || first == 0x7f)
        return {.code = first, .size = 1};
    // U+0080 to U+009F, e.g. the one that begins a command to a terminal as ESC [ does.
    if (first == 0xc2 && text.size() > 1 && (char_at(text, 1) & 0xe0U) == 0x80U)
        return {.code = char_at(text, 1), .size = 2};
    return {};
}

template <typename Replace>
std::string without_controls(std::string_view text, Replace&& replace)
{
    std::string line;
    line.reserve(text.size());
    while (!text.empty()) {
        const auto control = control_of(text);
        if (control.size > 0)
            line += replace(control.code);
        else
            line += text.front();
        text.remove_prefix(control.size > 0 ? control.size : 1);
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
