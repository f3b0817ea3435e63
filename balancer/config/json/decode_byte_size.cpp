// SPDX-License-Identifier: MIT
#include "balancer/config/json/decode_byte_size.hpp"

#include "balancer/config/units/byte_size.hpp"

#include <fmt/core.h>

#include <stdexcept>

namespace usher {

std::uint64_t decode_byte_size(const JsonValue& value, Range range)
{
    if (!value.is_string())
        return value.number(range, fmt::format("a size, e.g. \"10MiB\", or from {} to {}",
                                               range.least, range.most));
    try {
        return parse_byte_size(value.text());
    } catch (const std::invalid_argument& error) {
        value.fail(error.what());
    }
}

} // namespace usher
