// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace usher {

/// What errors show to someone who has left something out.
inline constexpr std::string_view run_example = "usher run --listen 8000 -- ./my-server";

[[nodiscard]] std::string version_text();  ///< of `usher --version`
[[nodiscard]] std::string help_text();     ///< of `usher --help`
[[nodiscard]] std::string run_help_text(); ///< of `usher run --help`
[[nodiscard]] std::string check_help_text();
[[nodiscard]] std::string control_help_text(); ///< of all the others

} // namespace usher
