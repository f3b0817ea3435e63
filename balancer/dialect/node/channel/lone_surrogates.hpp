// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace usher::node {

/// JavaScript may cut a text within a character, and then writes half of it to JSON: `"\ud83d"`.
/// That is no valid JSON.  Returns `json` with U+FFFD for each such half.
[[nodiscard]] std::string replace_lone_surrogates(std::string_view json);

} // namespace usher::node
