// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/units/names.hpp"
#include "common/log.hpp"

namespace usher {

inline constexpr Names<log::Format, 2> log_format_names{
    {{log::Format::text, "text"}, {log::Format::json, "json"}}};

} // namespace usher
