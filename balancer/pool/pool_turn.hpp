// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/pool/pool.hpp"

#include <utility>

namespace usher {

/// Has the pool's operations take turns: holds the turn for a scope.
class Pool::Turn {
public:
    explicit Turn(Pool& pool) noexcept : pool_{&pool} { pool.turn_taken_ = true; }
    Turn(Turn&& other) noexcept : pool_{std::exchange(other.pool_, nullptr)} {}
    Turn& operator=(Turn&&) = delete;
    ~Turn()
    {
        if (pool_ != nullptr) {
            pool_->turn_taken_ = false;
            pool_->changed_.notify_all();
        }
    }

private:
    Pool* pool_;
};

} // namespace usher
