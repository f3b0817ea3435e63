// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>

namespace usher {

/// Decides for how long the workers of a pool may have more memory than max_memory says: at once
/// they are replaced, but where a fresh one has that much already, so that they would be replaced
/// for ever, only after a time that doubles.
///
/// Holds no clock: it is told ages, each since the worker was ready.
class MemoryPatience {
public:
    using Duration = std::chrono::milliseconds;

    /// One is fresh for so long; memory is looked at every 10 s.
    static constexpr Duration fresh{15'000};
    static constexpr Duration first{60'000};
    static constexpr Duration longest{3'600'000};

    /// A worker of `age` has too much memory; `has_grown` means that it had less before.  True if
    /// there is more patience from now on, which is worth a warning: once at first, and then once
    /// for those that have replaced others in vain.
    [[nodiscard]] bool on_too_much(Duration age, bool has_grown) noexcept
    {
        const bool is_told = has_grown || time_ > Duration::zero();
        if (age >= fresh || (is_told && !has_replaced_))
            return false;
        time_ = std::clamp(2 * time_, first, longest);
        has_replaced_ = false;
        return true;
    }

    /// One that is past its first time has less than it may.
    void on_enough(Duration age) noexcept
    {
        if (age >= std::max(fresh, time_))
            *this = {};
    }

    /// One is replaced because of its memory.
    void on_replaced() noexcept { has_replaced_ = true; }

    /// The age from which on too much memory counts.
    [[nodiscard]] Duration time() const noexcept { return time_; }

private:
    Duration time_{};
    bool has_replaced_ = false;
};

} // namespace usher
