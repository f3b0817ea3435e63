// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace usher {

/// One worker's page of counters, shared between the worker, which writes, and the master, which
/// only reads, trusts nothing and never waits.
///
///     offset size
///        0     4   magic      0x44425355 ("USBD")
///        4     4   version    1
///       64     8   accepted   connections the application has taken
///       72     8   closed     of those, the ones that are done
///       80     8   load       the application's own measure, 0 if it has none
///       88     8   heartbeat  CLOCK_MONOTONIC in nanoseconds, from the event loop; 0: never
///      128     8   preload    what the preload shim has seen; see PreloadProgress
///      136     4   leader     the first process the shim was loaded into
///      140     4   chosen     the port of its own that the program listens on; see the shim
///
/// Native-endian, naturally aligned, one store each: readers need no lock.  What lies behind 128
/// is between the processes of one worker, for the preload shim; others leave it alone.
struct ScoreboardPage {
    static constexpr std::uint32_t expected_magic = 0x44425355;
    static constexpr std::uint32_t expected_version = 1;

    std::atomic<std::uint32_t> magic;
    std::atomic<std::uint32_t> version;
    alignas(64) std::atomic<std::uint64_t> accepted;
    std::atomic<std::uint64_t> closed;
    std::atomic<std::uint64_t> load;
    std::atomic<std::uint64_t> heartbeat;
    alignas(64) std::atomic<std::uint64_t> preload;
    std::atomic<std::int32_t> leader;
    std::atomic<std::uint32_t> chosen;
};

/// The bits of ScoreboardPage::preload.
struct PreloadProgress {
    static constexpr std::uint64_t loaded = 1; ///< a process has the shim, and `hello` was said
    static constexpr std::uint64_t ready = 2;  ///< every queue has a listening socket

    static constexpr std::size_t most_queues = 32;

    /// The program listens where the connections of queue `index` are for.
    [[nodiscard]] static constexpr std::uint64_t listens(std::size_t index) noexcept
    {
        return std::uint64_t{1} << (8 + index);
    }
};

inline constexpr std::size_t scoreboard_size = 4096;
static_assert(sizeof(ScoreboardPage) <= scoreboard_size);
static_assert(offsetof(ScoreboardPage, accepted) == 64);
static_assert(offsetof(ScoreboardPage, heartbeat) == 88);
static_assert(offsetof(ScoreboardPage, preload) == 128);
static_assert(offsetof(ScoreboardPage, chosen) == 140);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

} // namespace usher
