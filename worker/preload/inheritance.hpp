// SPDX-License-Identifier: MIT
#pragma once

#include "common/scoreboard_page.hpp"
#include "worker/preload/address.hpp"
#include "worker/preload/descriptor.hpp"

#include <array>
#include <atomic>
#include <cstddef>

namespace usher::preload {

/// One hand-off socket.
struct Queue {
    Descriptor socket;
    std::atomic<ino_t> stand_in{0}; ///< what takes its place when the master is gone; 0: nothing
    std::atomic<int> stand_in_fd{-1};

    [[nodiscard]] bool is(ino_t inode) const noexcept
    {
        return inode != 0 &&
               (inode == socket.inode || inode == stand_in.load(std::memory_order_relaxed));
    }
};

/// One listener of the pool.
struct PoolListener {
    std::size_t queue = 0;
    Address address;
};

/// What the master left for this process or an ancestor of it.
struct Inheritance {
    static constexpr std::size_t most_listeners = 64;

    ScoreboardPage* page = nullptr; ///< null: this process is no worker
    Descriptor control;
    std::array<Queue, PreloadProgress::most_queues> queues;
    std::size_t queue_count = 0;
    std::array<PoolListener, most_listeners> listeners;
    std::size_t listener_count = 0;
    int end_signal = 0;
    unsigned long long end_delay_ms = 0;
    bool asks_dialect = false; ///< the program may be native, or Node's cluster
    bool asks_place = false;   ///< the pool listens where the program does

    /// False also once the program has said itself that it is a worker.
    [[nodiscard]] bool is_active() const noexcept
    {
        return page != nullptr &&
               (page->preload.load(std::memory_order_relaxed) & PreloadProgress::native) == 0;
    }

    [[nodiscard]] bool asks() const noexcept { return asks_dialect || asks_place; }

    /// The queue whose socket has this inode; queue_count if there is none.
    [[nodiscard]] std::size_t find_queue(ino_t inode) const noexcept;
};

/// Inactive until take_inheritance().
[[nodiscard]] Inheritance& inheritance() noexcept;

/// Reads the environment.  This process stays inactive if the variables are missing, or if the
/// descriptors that they name were closed by whoever started it.
void take_inheritance() noexcept;

} // namespace usher::preload
