// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace usher {

/// The number of a signal that ends a process and can be sent to a worker, from its name with or
/// without SIG: HUP, INT, QUIT, ABRT, KILL, USR1, USR2, TERM.  Nothing for any other.
[[nodiscard]] std::optional<int> signal_number(std::string_view name) noexcept;

/// `TERM` for SIGTERM.
[[nodiscard]] std::string signal_text(int number);

} // namespace usher
