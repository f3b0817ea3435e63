// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace usher {

/// What the master answers when the preload shim asks whether a socket is the pool's: it is, it is
/// not, or the errno(3) of a call that fails.
struct ShimVerdict {
    static constexpr std::uint32_t granted = 0;
    static constexpr std::uint32_t own = 0x8000'0000;    ///< the program's own affair
    static constexpr std::uint32_t native = 0x8000'0001; ///< the program does without the shim
};

/// One answer.
struct ShimAnswer {
    std::atomic<std::uint32_t> question; ///< its number, stored last; a futex(2)
    std::uint32_t verdict;
    std::array<unsigned char, 28> address; ///< where the pool listens, as in a hand-off record
};

/// An option of the program's listening socket that its connections have: see the shim.
struct InheritedOption {
    std::atomic<std::uint32_t> what; ///< which one; 0: none
    std::atomic<std::uint32_t> size; ///< 0: it is not set
    std::array<std::uint64_t, 2> value;
};

/// One worker's page of counters, shared between the worker, which writes, and the master, which
/// trusts nothing, never waits, and reads only, but for what it answers the preload shim.
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
///      192     4   questions  how many the shim has asked the master, by messages
///      196   576   answers    the master's, the one to question n at n modulo 16
///      772    28   place      where the pool listens, if the program has said where
///      800  1536   inherited  the options of its listening sockets, for the shim alone
///
/// Native-endian, naturally aligned, one store each: readers need no lock.  What lies behind 128
/// is between the processes of one worker and the master, for the preload shim; others leave it
/// alone.
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
    alignas(64) std::atomic<std::uint32_t> questions;
    std::array<ShimAnswer, 16> answers;
    std::array<unsigned char, 28> place;
    std::array<InheritedOption, 64> inherited;
};

/// The bits of ScoreboardPage::preload.
struct PreloadProgress {
    static constexpr std::uint64_t loaded = 1;  ///< a process has the shim
    static constexpr std::uint64_t ready = 2;   ///< every queue has a listening socket
    static constexpr std::uint64_t native = 4;  ///< the master's: the program does without the shim
    static constexpr std::uint64_t primary = 8; ///< it has forked a worker of Node's cluster

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
static_assert(offsetof(ScoreboardPage, answers) == 196);
static_assert(offsetof(ScoreboardPage, place) == 772);
static_assert(offsetof(ScoreboardPage, inherited) == 800);
static_assert(sizeof(InheritedOption) == 24);
static_assert(sizeof(ShimAnswer) == 36);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

} // namespace usher
