// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

namespace usher::sys {

/// Knows whether this process is far from its RLIMIT_NOFILE, mostly without asking the kernel.
///
/// The kernel gives the lowest free number.  So once the last numbers below the limit were seen to
/// be free, they stay free until one of them is given, and then all below are taken.  They are
/// enough for a packet, and for a program that opens three more descriptors for each connection of
/// the one before; not for one that opens hundreds at once, or lowers its limit while it serves.
class FdReserve {
public:
    /// As many descriptors as one of our packets carries at most.
    static constexpr int packet = 64;

    /// True if the descriptors of one packet fit, without a look; false: look().
    [[nodiscard]] bool is_known() const noexcept
    {
        return mark_.load(std::memory_order_relaxed) > 0;
    }

    /// Asks the kernel whether the descriptors of one packet fit.
    [[nodiscard]] bool look() noexcept;

    /// To be told the number of each descriptor that is received.
    void note(int fd) noexcept
    {
        if (fd >= mark_.load(std::memory_order_relaxed))
            mark_.store(0, std::memory_order_relaxed);
    }

private:
    std::atomic<int> mark_{0}; ///< the first of the last numbers; 0: not seen to be free
};

} // namespace usher::sys
