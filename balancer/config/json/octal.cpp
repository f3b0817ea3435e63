// SPDX-License-Identifier: MIT
#include "balancer/config/json/octal.hpp"

#include "balancer/config/units/limits.hpp"

#include <charconv>
#include <string>

namespace usher {

unsigned decode_octal(const JsonValue& value, std::string_view must)
{
    const std::string text = value.text(must);
    const char* const end = text.data() + text.size();

    unsigned bits = 0;
    const auto [rest, error] = std::from_chars(text.data(), end, bits, 8);
    if (error != std::errc{} || rest != end || bits > largest_mode)
        value.refuse(must);
    return bits;
}

} // namespace usher
