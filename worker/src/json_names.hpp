// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace usher::worker::detail {

/// The strings in a list of JSON, which the C library has looked at already.
[[nodiscard]] std::vector<std::string> json_names(std::string_view list);

} // namespace usher::worker::detail
