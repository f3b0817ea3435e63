// SPDX-License-Identifier: MIT
#include "balancer/config/decode_duration.hpp"

#include "balancer/config/duration.hpp"

#include <stdexcept>

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

} // namespace usher
