// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

namespace usher {

/// The master's controlling terminal (credentials(7)), as far as signals depend on it.
struct TerminalState {
    bool is_there = false;
    /// At the last look: what is typed there is for the master's own process group.
    bool in_foreground = false;
    /// SIGHUP was ignored when the master began: it was started by nohup(1) or its like, to survive
    /// its terminal.
    bool survives_hangup = false;
    pid_t session = 0; ///< its leader: a shell, which passes on that the terminal is gone
    pid_t group = 0;   ///< the master's; of a shell that has jobs it is another than its own
};

} // namespace usher
