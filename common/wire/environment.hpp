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

} // namespace usher::wire::env
