// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace usher {

/// Decides how many connections a listener accepts at one wake-up.
///
/// A batch ends with an accept4() that finds nothing, and at low load that is one system call
/// of six.  So a listener that keeps finding exactly one connection takes exactly one and lets
/// the (level-triggered) next wake-up tell of more; every few wake-ups it looks again, and
/// goes back to full batches as soon as there is a second one.
class AcceptBudget {
public:
    static constexpr std::size_t full_batch = 64;
    static constexpr unsigned wakeups_between_looks = 8;

    /// The most connections to accept now.
    [[nodiscard]] std::size_t limit() const noexcept { return calm_ ? 1 : full_batch; }

    /// `accepted` were accepted; `drained`: the last accept4() found nothing more.
    void on_batch(std::size_t accepted, bool drained) noexcept
    {
        if (drained)
            calm_ = accepted <= 1;
        else if (calm_ && ++single_wakeups_ % wakeups_between_looks == 0)
            calm_ = false;
    }

private:
    bool calm_ = false;
    unsigned single_wakeups_ = 0;
};

} // namespace usher
