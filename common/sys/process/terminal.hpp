// SPDX-License-Identifier: MIT
#pragma once

namespace usher::sys {

/// True if this process has a controlling terminal, whose changes of size send it SIGWINCH
/// (credentials(7), tty(4)).
[[nodiscard]] bool has_terminal() noexcept;

} // namespace usher::sys
