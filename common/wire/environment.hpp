// SPDX-License-Identifier: MIT
#pragma once

/// What a worker finds in its environment; see docs/worker-protocol.md.
namespace usher::wire::env {

inline constexpr int protocol_version = 1;

inline constexpr const char* protocol = "USHER_PROTOCOL";
inline constexpr const char* handoff_fd = "USHER_HANDOFF_FD";
inline constexpr const char* control_fd = "USHER_CONTROL_FD";
inline constexpr const char* scoreboard_fd = "USHER_SCOREBOARD_FD";
inline constexpr const char* worker_id = "USHER_WORKER_ID";
inline constexpr const char* slot = "USHER_SLOT";
inline constexpr const char* generation = "USHER_GENERATION";
inline constexpr const char* pool = "USHER_POOL";
inline constexpr const char* bus_fd = "USHER_BUS_FD";

/// Between the master and the preload shim, in place of the first four.  A descriptor is written
/// `NUMBER:INODE`, so that a number that was closed and reused is not taken for it.
inline constexpr const char* preload_control = "USHER_PRELOAD_CONTROL";
inline constexpr const char* preload_scoreboard = "USHER_PRELOAD_SCOREBOARD";

/// A line for each listener of the pool: `NUMBER:INODE ADDRESS`, the hand-off socket that its
/// connections come on and its address, such as `[::1]:8000` or `unix:/path`; `*` if that is where
/// the program will listen, so that the shim asks the master.
inline constexpr const char* preload_listeners = "USHER_PRELOAD_LISTENERS";

/// `dialect`: whether the program is one for the shim at all is not known, so that the shim asks
/// the master before a socket becomes the pool's.
inline constexpr const char* preload_ask = "USHER_PRELOAD_ASK";

/// `SIGNAL MILLISECONDS`: what ends the program when the master is gone, and how long it may
/// take to finish.
inline constexpr const char* preload_end = "USHER_PRELOAD_END";

} // namespace usher::wire::env
