// SPDX-License-Identifier: MIT
#include "balancer/config/json/decode_duration.hpp"

#include "balancer/config/units/duration.hpp"

#include <stdexcept>
#include <string>

namespace usher {

std::chrono::milliseconds decode_duration(const JsonValue& value)
{
    const std::string text = value.text("a duration, e.g. \"30s\"");
    try {
        return parse_duration(text);
    } catch (const std::invalid_argument& error) {
        value.fail(error.what());
    }
}

std::chrono::milliseconds decode_positive_duration(const JsonValue& value)
{
    const auto duration = decode_duration(value);
    if (duration == duration.zero())
        value.refuse("longer than 0");
    return duration;
}

} // namespace usher
