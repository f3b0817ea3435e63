// SPDX-License-Identifier: MIT
#pragma once

#include "common/log.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace usher {

/// What can happen in a master that people care about.
enum class EventKind {
    listening,     ///< a listener is open
    closed,        ///< a listener is closed
    accept_failed, ///< out of descriptors; clients wait
    fork,          ///< a worker process was started
    spawn_failed,  ///< it could not be
    online,        ///< the worker has said hello
    probing,       ///< it says it is ready, and is asked to prove it
    probe_failed,  ///< it did not answer as it should, and is asked again
    ready,         ///< connections may go to it
    disconnect,    ///< it gets no further connection and drains
    stalled,       ///< it does not take what it is given
    recycled,      ///< it has served long enough and is replaced
    retired,       ///< it is at fault and is being ended
    signalled,     ///< it was sent SIGTERM or SIGKILL
    reclaimed,     ///< what it had not taken went to others
    exit,          ///< it has ended
    back_off,      ///< its successor is started later
    gave_up,       ///< its slot has failed
    note,          ///< something a worker said
    message,       ///< something the program of a Node worker sent
    output,        ///< a line of what a failed worker wrote last
    output_lost,   ///< lines of workers could not be written
    reload_started,
    reload_done,
    reload_failed, ///< the old generation was kept
    rolled_back,   ///< the new generation served for a while and was given up
    scaled,
    stopping,
    stopped,
};

inline constexpr std::size_t event_kinds = static_cast<std::size_t>(EventKind::stopped) + 1;

/// The name in `usher events` and in status counters: `reload-started`.
[[nodiscard]] std::string_view name_of(EventKind kind) noexcept;

/// One thing that happened.  The log, the event stream and the counters all come from these.
struct Event {
    EventKind kind = EventKind::note;
    log::Level level = log::Level::info;
    std::string message; ///< the log line

    std::chrono::system_clock::time_point time{}; ///< when; the bus sets it

    std::string pool;  ///< empty: of the whole master
    unsigned slot = 0; ///< 0: of no slot
    std::uint64_t worker = 0;
    pid_t pid = 0;
    unsigned generation = 0;
};

} // namespace usher
