// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace usher {

class Pool;

/// What those who look at a pool from outside may want to know.
struct PoolFacts {
    std::string name;
    unsigned generation = 1;
    unsigned workers = 0;    ///< as configured or scaled
    unsigned may_lack = 0;   ///< of them, `reload.max_unavailable`
    unsigned ready = 0;      ///< at present
    unsigned coming = 0;     ///< slots without a ready worker that are expected to have one
    unsigned failed = 0;     ///< slots that have given up, or fail again and again
    unsigned awaited = 0;    ///< slots that never had a ready worker and are expected to have one
    unsigned alive = 0;      ///< workers in whatever state
    bool was_ready = false;  ///< any worker, ever
    bool is_leaving = false; ///< a reload has removed it, or all are being stopped
};

enum class PoolState {
    starting, ///< no worker is ready, and some are on their way
    serving,
    drained,  ///< no worker gets connections until somebody asks for workers again
    failed,   ///< no worker gets connections, since their slots have failed too often
    stopping, ///< a reload has removed it, or all are being stopped
};

/// Nothing but `facts` decides.
[[nodiscard]] PoolState state_of(const PoolFacts& facts) noexcept;

[[nodiscard]] std::string_view name_of(PoolState state) noexcept;

[[nodiscard]] PoolFacts facts_of(const Pool& pool);

} // namespace usher
