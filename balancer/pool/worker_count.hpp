// SPDX-License-Identifier: MIT
#pragma once

namespace usher {

/// How many workers a pool has, which the configuration says, and people by scaling it.  Whoever
/// has changed the number last is right: a configuration that says what it said before takes
/// nothing back.
class WorkerCount {
public:
    explicit constexpr WorkerCount(unsigned configured) noexcept
        : configured_{configured}, wanted_{configured}
    {
    }

    [[nodiscard]] constexpr unsigned configured() const noexcept { return configured_; }
    [[nodiscard]] constexpr unsigned wanted() const noexcept { return wanted_; }
    [[nodiscard]] constexpr bool is_scaled() const noexcept { return wanted_ != configured_; }

    /// People want `number`.
    constexpr void scale(unsigned number) noexcept { wanted_ = number; }

    /// What it is once a configuration is brought in that says `configured`.
    [[nodiscard]] constexpr WorkerCount after_reload(unsigned configured) const noexcept
    {
        return configured == configured_ ? *this : WorkerCount{configured};
    }

    friend constexpr bool operator==(const WorkerCount&, const WorkerCount&) noexcept = default;

private:
    unsigned configured_;
    unsigned wanted_;
};

} // namespace usher
