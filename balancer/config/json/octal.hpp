// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/json/json_value.hpp"

#include <string_view>

namespace usher {

/// Permission bits, written as an octal string from "0" to "0777".  `must` says what was wanted.
[[nodiscard]] unsigned decode_octal(const JsonValue& value, std::string_view must);

} // namespace usher
