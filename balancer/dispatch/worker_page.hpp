// SPDX-License-Identifier: MIT
#pragma once

#include "common/scoreboard.hpp"

#include <chrono>
#include <cstdint>
#include <string_view>

namespace usher {

/// What a worker says of itself on its scoreboard, as the master reads it: nothing in it is
/// trusted.
class WorkerPage {
public:
    /// Throws std::system_error.
    WorkerPage() : board_{Scoreboard::make()} {}

    /// To give to the worker.
    [[nodiscard]] int fd() const noexcept { return board_.fd(); }

    [[nodiscard]] std::uint64_t accepted() const noexcept
    {
        return board_.page().accepted.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t closed() const noexcept
    {
        return board_.page().closed.load(std::memory_order_relaxed);
    }

    /// What the preload shim has seen; see PreloadProgress.
    [[nodiscard]] std::uint64_t preload_progress() const noexcept
    {
        return board_.page().preload.load(std::memory_order_relaxed);
    }

    /// When its event loop last stamped it; the epoch if it never did.
    [[nodiscard]] std::chrono::steady_clock::time_point heartbeat() const noexcept;

    /// What is wrong with it, if `sent` were handed to its worker; empty if nothing.  Remembers
    /// what it saw: a counter that runs backwards is wrong as well.
    [[nodiscard]] std::string_view audit(std::uint64_t sent) noexcept;

private:
    Scoreboard board_;
    std::uint64_t audited_accepted_ = 0;
    std::uint64_t audited_closed_ = 0;
};

} // namespace usher
