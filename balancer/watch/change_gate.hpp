// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace usher {

/// Decides when files that change have changed enough: some time after the last change, so that
/// whoever writes several has done, but no longer than `longest` after the first.  Without a clock.
class ChangeGate {
public:
    using Clock = std::chrono::steady_clock;

    static constexpr std::chrono::milliseconds longest{2'000};

    explicit ChangeGate(std::chrono::milliseconds delay) noexcept : delay_{delay} {}

    void on_change(const std::string& path, Clock::time_point now)
    {
        if (!open_)
            open_ = Change{.path = path, .first = now};
        last_ = now;
    }

    /// When it is time; nothing without a change.
    [[nodiscard]] std::optional<Clock::time_point> due() const noexcept
    {
        if (!open_)
            return std::nullopt;
        return std::min(last_ + delay_, open_->first + std::max(delay_, longest));
    }

    /// The path that changed first, if it is time; then all is as before any change.
    [[nodiscard]] std::optional<std::string> take(Clock::time_point now)
    {
        if (const auto time = due(); !time || now < *time)
            return std::nullopt;
        auto path = std::move(open_->path);
        open_.reset();
        return path;
    }

private:
    struct Change {
        std::string path;
        Clock::time_point first;
    };

    std::chrono::milliseconds delay_;
    std::optional<Change> open_;
    Clock::time_point last_{};
};

} // namespace usher
