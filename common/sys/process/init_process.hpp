// SPDX-License-Identifier: MIT
#pragma once

namespace usher::sys {

/// True if processes whose parents have died become children of this one: it is PID 1, of a
/// container for instance, or whoever has executed it has made it a subreaper.
[[nodiscard]] bool adopts_orphans() noexcept;

/// As PID 1, blocks all signals, for SignalStream to find them: the kernel drops those that PID 1
/// has no handler for, but not if they are blocked.  Does nothing for others, whom they end.
void hold_signals_as_init() noexcept;

} // namespace usher::sys
