// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/events/event.hpp"

#include <string>

namespace usher {

/// `event` as a JSON object of ASCII; see docs/operations.md.
[[nodiscard]] std::string encode_event(const Event& event);

/// What is known of it beside time, level and message, as members of a JSON object without its
/// braces.
[[nodiscard]] std::string encode_context(const Event& event);

} // namespace usher
