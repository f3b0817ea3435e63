// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/store/store.hpp"

#include <cstdint>
#include <string>

namespace usher {

/// Where one copy of a store is in following it: all entries first, then each change.  It holds no
/// lines back: a copy whose reader is so slow that changes it needs are forgotten begins anew.
class StoreFeed {
public:
    /// `store` must outlive it.
    explicit StoreFeed(const Store& store) : store_{&store} {}

    /// The next line; null if the copy is as new as the store.
    [[nodiscard]] Store::Text next();

    /// True if nothing is to be told that the copy could need before it hears of `revision`.
    [[nodiscard]] bool has_told(std::uint64_t revision) const noexcept
    {
        return phase_ == Phase::following && told_ >= revision;
    }

private:
    enum class Phase { beginning, entries, catching_up, following };

    const Store* store_;
    Phase phase_ = Phase::beginning;
    std::string last_key_; ///< of the entries
    bool has_last_key_ = false;
    std::uint64_t told_ = 0; ///< all changes up to this revision
};

} // namespace usher
