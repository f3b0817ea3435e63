// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/mapping.hpp"
#include "common/sys/unique_fd.hpp"

#include <atomic>
#include <chrono>
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
///
/// Native-endian, naturally aligned, one store each: readers need no lock.
struct ScoreboardPage {
    static constexpr std::uint32_t expected_magic = 0x44425355;
    static constexpr std::uint32_t expected_version = 1;

    std::atomic<std::uint32_t> magic;
    std::atomic<std::uint32_t> version;
    alignas(64) std::atomic<std::uint64_t> accepted;
    std::atomic<std::uint64_t> closed;
    std::atomic<std::uint64_t> load;
    std::atomic<std::uint64_t> heartbeat;
};

inline constexpr std::size_t scoreboard_size = 4096;
static_assert(sizeof(ScoreboardPage) <= scoreboard_size);
static_assert(offsetof(ScoreboardPage, accepted) == 64);
static_assert(offsetof(ScoreboardPage, heartbeat) == 88);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// The mapped page, and in the master the descriptor it was made from.
class Scoreboard {
public:
    /// Makes a page for a new worker.  Throws std::system_error.
    [[nodiscard]] static Scoreboard make();

    /// Maps the page of `fd`, which stays the caller's.  Throws std::system_error.
    [[nodiscard]] static Scoreboard open(int fd);

    /// A page of this process alone, for a worker that runs without a master.
    [[nodiscard]] static Scoreboard make_private();

    [[nodiscard]] ScoreboardPage& page() const noexcept
    {
        return *static_cast<ScoreboardPage*>(mapping_.data());
    }

    /// The memfd to give to the worker; empty unless made by make().
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    /// True while the page still says what it is: nobody scribbled over its first bytes.
    [[nodiscard]] bool is_intact() const noexcept;

private:
    Scoreboard(sys::UniqueFd fd, sys::Mapping mapping) noexcept;

    sys::UniqueFd fd_;
    sys::Mapping mapping_;
};

/// CLOCK_MONOTONIC now in nanoseconds: the time of heartbeats and hand-off records.
[[nodiscard]] std::uint64_t monotonic_nanoseconds() noexcept;

} // namespace usher
