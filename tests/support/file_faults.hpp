// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <functional>

namespace usher::test {

/// What fsync(2), fdatasync(2) and flock(2) do in this program, on any thread.
struct FileFaults {
    static inline std::atomic<int> failing{0}; ///< so many calls fail with EIO
    static inline std::atomic<int> passing{0}; ///< so many go well before these
    static inline std::atomic<int> calls{0};   ///< of fsync(2) and fdatasync(2), so far

    /// Is called once, by the next one of them.
    static inline std::function<void()> before_sync;

    /// Is called once, before the next file is locked.
    static inline std::function<void()> before_lock;

    static void fail_after(int well)
    {
        passing = well;
        failing = 1;
    }
};

} // namespace usher::test
