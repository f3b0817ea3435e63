// SPDX-License-Identifier: MIT
#pragma once

#include "worker/preload/inheritance.hpp"
#include "worker/preload/listening_table.hpp"

namespace usher::preload {

/// Opens a socket that never becomes readable; -1 if there is no room for its descriptor.
[[nodiscard]] int make_quiet() noexcept;

/// What stands in for `queue` in this process, for all its descriptors the same; -1 if there is no
/// room for it.
[[nodiscard]] int stand_in_for(Queue& queue) noexcept;

/// End-of-file on a hand-off socket: the master is gone, and nobody else will hand anything over.
///
/// A program does not expect end-of-file on a listening socket and would call accept() again and
/// again, so a quiet socket takes its place.  The program is told to end by the one means it
/// understands, the pool's `stop_signal`.
///
/// Returns false if there is no room for the quiet socket, or the program has shut that down too.
[[nodiscard]] bool on_master_gone(const Listening& entry) noexcept;

} // namespace usher::preload
