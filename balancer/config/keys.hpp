// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"

#include <string>

namespace usher {

/// What a reload does where the value of a key has changed.
enum class Effect {
    new_workers,     ///< replaces the workers
    running_workers, ///< tells the workers there are
    listeners,       ///< opens, closes or changes listeners
    master,          ///< goes by it itself from now on
};

/// True if `next` can be brought in without replacing a worker.  If it is no other than `now`, it
/// cannot: then it is the program's file that has changed.
[[nodiscard]] bool keeps_workers(const ResolvedPool& now, const ResolvedPool& next);

/// Takes over from `next` what a worker that runs can follow; the rest of `running` stays.
void bring_in(PoolConfig& running, const PoolConfig& next);

/// Reads the flag `--NAME TEXT` into `pool`, as if it stood in a file, where what looks like a
/// number is one, under the key that is written with underscores.  Throws ConfigError, which names
/// the flag.
void read_flag(PoolConfig& pool, const std::string& name, const std::string& text);

} // namespace usher
