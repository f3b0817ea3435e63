// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace usher {

/// What errors show to someone who has left something out.
inline constexpr std::string_view run_example = "usher run --listen 8000 -- ./my-server";

[[nodiscard]] std::string_view version_text() noexcept;  ///< of `usher --version`
[[nodiscard]] std::string_view help_text() noexcept;     ///< of `usher --help`
[[nodiscard]] std::string_view run_help_text() noexcept; ///< of `usher run --help`
[[nodiscard]] std::string_view check_help_text() noexcept;
[[nodiscard]] std::string_view control_help_text() noexcept; ///< of `usher check --help`

} // namespace usher
