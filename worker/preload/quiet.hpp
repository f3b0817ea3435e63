// SPDX-License-Identifier: MIT
#pragma once

#include "worker/preload/listening_table.hpp"

namespace usher::preload {

/// A socket that never becomes readable and never ends; -1 if there is none to be had.
[[nodiscard]] int make_quiet() noexcept;

/// End-of-file on a hand-off socket: the master is gone, and nobody else will hand anything over.
///
/// The program does not know end-of-file on a listening socket and would ask again and again, so
/// it gets one that stays quiet; and it is told to end in the one way it understands, by the
/// pool's `stop_signal`.
///
/// False: there is no room for that socket, or it is there and the program has shut it down.
[[nodiscard]] bool on_master_gone(const Listening& entry) noexcept;

} // namespace usher::preload
