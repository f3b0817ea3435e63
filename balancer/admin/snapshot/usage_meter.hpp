// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <map>

namespace usher {

/// How much of a processor processes use, from the time that they have used in all.
///
/// Holds no clock.  What it says is of the time since it was last asked of the same process, or
/// since that was started; who asks again within `shortest` gets the same answer.
class UsageMeter {
public:
    using Clock = std::chrono::steady_clock;

    static constexpr std::chrono::milliseconds shortest{500};

    /// In percent of one processor, of process `id`, which was started `age` ago and has used
    /// `cpu` in all.
    [[nodiscard]] double look(Clock::time_point now, std::uint64_t id,
                              std::chrono::milliseconds age, std::chrono::milliseconds cpu);

    /// Forgets those that nobody has asked about for a minute.
    void forget_old(Clock::time_point now);

private:
    struct Sample {
        Clock::time_point at;
        std::chrono::milliseconds cpu;
        double percent;
    };

    std::map<std::uint64_t, Sample> samples_;
};

} // namespace usher
