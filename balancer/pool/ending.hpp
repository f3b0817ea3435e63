// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <utility>

namespace usher {

/// Decides when the process has nothing left to do: when no pool is left and no operation that may
/// bring another is under way.  That is found once; from then on, as after stop(), nothing starts.
class Ending {
public:
    void on_pool_started() noexcept { ++pools_; }
    void on_pool_ended() noexcept { --pools_; }
    void on_operation_begun() noexcept { ++operations_; }
    void on_operation_ended() noexcept { --operations_; }

    /// Somebody asked for the end.
    void stop() noexcept { stopping_ = true; }

    [[nodiscard]] bool is_stopping() const noexcept { return stopping_; }
    [[nodiscard]] bool may_start() const noexcept { return !stopping_ && !over_; }

    /// True if the end has come and was not found before.  To be asked between two events, never in
    /// the middle of a call that brings the end about: its caller is not through yet.
    [[nodiscard]] bool find() noexcept
    {
        return pools_ == 0 && operations_ == 0 && !std::exchange(over_, true);
    }

    [[nodiscard]] bool is_over() const noexcept { return over_; }

private:
    std::size_t pools_ = 0;
    std::size_t operations_ = 0;
    bool stopping_ = false;
    bool over_ = false;
};

} // namespace usher
