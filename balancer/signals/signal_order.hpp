// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/signals/terminal_state.hpp"
#include "common/async/signal_stream.hpp"

namespace usher {

/// What the master is to do because of a signal.
enum class SignalOrder {
    none,          ///< nothing, and nothing is to be said about it
    stop,          ///< once drains, twice stops at once
    hang_up,       ///< stop, because the terminal is gone; again means the same
    reload,        ///< the configuration
    reopen,        ///< the files of workers' output
    more_workers,  ///< one more in each pool
    fewer_workers, ///< one less in each pool
    drain,         ///< all workers, and go on listening
    unknown,       ///< nothing, which whoever has sent it ought to know
};

/// Decides what `signal` asks of a master whose terminal is as `terminal` says: the table in
/// docs/operations.md.  What a terminal's own signals mean stands in tty(4) and signal(7).
[[nodiscard]] SignalOrder order_of(const Signal& signal, const TerminalState& terminal) noexcept;

} // namespace usher
