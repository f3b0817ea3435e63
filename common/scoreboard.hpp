// SPDX-License-Identifier: MIT
#pragma once

#include "common/scoreboard_page.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <cstdint>
#include <memory>

namespace usher {

/// The mapped page, and in the master the descriptor it was made from.
class Scoreboard {
public:
    /// Makes a page for a new worker.  Throws std::system_error.
    [[nodiscard]] static Scoreboard make();

    /// Maps the page of `fd`, which stays the caller's.  Throws std::system_error.
    [[nodiscard]] static Scoreboard open(int fd);

    [[nodiscard]] ScoreboardPage& page() const noexcept { return *page_; }

    /// The memfd to give to the worker; empty unless made by make().
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    /// True while the page still says what it is: nobody scribbled over its first bytes.
    [[nodiscard]] bool is_intact() const noexcept;

private:
    struct Unmap {
        void operator()(ScoreboardPage* page) const noexcept;
    };

    Scoreboard() noexcept = default;

    sys::UniqueFd fd_;
    std::unique_ptr<ScoreboardPage, Unmap> page_;
};

/// CLOCK_MONOTONIC now in nanoseconds: the time of heartbeats and hand-off records.
[[nodiscard]] std::uint64_t monotonic_nanoseconds() noexcept;

} // namespace usher
