// SPDX-License-Identifier: MIT
#include "balancer/config/units/quote.hpp"

#include <fmt/core.h>

namespace usher {

namespace {

constexpr bool is_utf8_continuation(char c)
{
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

std::string escape(char c)
{
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
        return {'\\', c};
    if (c == '\n')
        return "\\n";
    if (c == '\t')
        return "\\t";
    if (code < 0x20 || code == 0x7F)
        return fmt::format("\\u{:04x}", code);
    return {c};
}

} // namespace

std::string printable(std::string_view text, std::size_t longest)
{
    const bool is_cut = text.size() > longest;
    if (is_cut) {
        std::size_t end = longest;
        while (end > 0 && is_utf8_continuation(text[end]))
            --end;
        text = text.substr(0, end);
    }

    std::string line;
    for (const char c : text)
        line += escape(c);
    if (is_cut)
        line += "...";
    return line;
}

std::string quote(std::string_view text)
{
    return '"' + printable(text) + '"';
}

} // namespace usher
