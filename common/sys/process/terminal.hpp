// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <system_error>

#include <sys/types.h>

namespace usher::sys {

/// The process group in the foreground of this process's controlling terminal (credentials(7),
/// tty(4)), 0 if that has none that is known here; nothing without such a terminal, or with an
/// `error`: it cannot be found out now.
[[nodiscard]] std::optional<pid_t> terminal_foreground(std::error_code& error) noexcept;

} // namespace usher::sys
