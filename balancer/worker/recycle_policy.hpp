// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace usher {

/// Decides when a worker has served long enough and is replaced although nothing is wrong with it.
///
/// Holds no clock and no dice: it is told.
class RecyclePolicy {
public:
    /// `config` must outlive it and may change.  `dice` from -1 to 1 moves each limit by up to a
    /// tenth either way, so that workers which were started together are not all due together.
    RecyclePolicy(const RecycleConfig& config, double dice) noexcept;

    struct Facts {
        std::uint64_t connections = 0;                ///< handed to it
        std::chrono::milliseconds age{0};             ///< since it was ready
        std::uint64_t memory = 0;                     ///< bytes, as last sampled
        std::chrono::milliseconds memory_patience{0}; ///< the age from which on that counts
    };

    /// Why the worker is due: one clause; empty if it is not.
    [[nodiscard]] std::string look(const Facts& facts) const;

    /// True if it has more memory than it may, whether that counts yet or not.
    [[nodiscard]] bool has_too_much(std::uint64_t memory) const noexcept;

    /// The limits that this worker got; 0: none.
    [[nodiscard]] RecycleConfig limits() const noexcept;

private:
    const RecycleConfig& config_;
    double factor_;
};

} // namespace usher
