// SPDX-License-Identifier: MIT
#pragma once

namespace usher::sys {

/// True if processes whose parents have died become children of this one: it is PID 1, of a
/// container for instance, or whoever has executed it has made it a subreaper.
[[nodiscard]] bool adopts_orphans() noexcept;

/// As PID 1, holds all signals back until release_signals(): the kernel drops those that PID 1 has
/// no handler for yet, but not if they are blocked.  Does nothing for others, whom they end.
void hold_signals_as_init() noexcept;

/// Undoes what was held back or inherited: no signal is blocked, and SIGCHLD is not ignored, with
/// which children would have no exit status.
void release_signals() noexcept;

} // namespace usher::sys
