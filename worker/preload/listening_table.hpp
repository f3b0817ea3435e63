// SPDX-License-Identifier: MIT
#pragma once

#include "worker/preload/address.hpp"

#include <atomic>
#include <cstddef>

namespace usher::preload {

/// A descriptor of this process that is a hand-off socket and that the program takes for its
/// listening socket.
struct Listening {
    std::atomic<int> fd{-1};
    std::size_t queue = 0;
    int family = AF_UNSPEC; ///< of the socket the program made
    bool is_guess = false;  ///< matched because there was no better one
    Address wanted;         ///< what the program has bound it to
};

/// The entry of `fd`, null if there is none.  The number may have been reused since: whoever
/// cannot tell by other means asks is_listening().
[[nodiscard]] Listening* find_listening(int fd) noexcept;

/// The same, sure that it still is the hand-off socket: one system call more.
[[nodiscard]] Listening* is_listening(int fd) noexcept;

/// Adds an entry, or overwrites what was known of `fd`; null if there is no room.
Listening* add_listening(int fd, std::size_t queue, int family, const Address& wanted,
                         bool is_guess) noexcept;

/// The number is somebody else's now.
void forget_listening(Listening& entry) noexcept;

/// A descriptor that is a hand-off socket of `queue`; -1 if the program has none.
[[nodiscard]] int listening_at(std::size_t queue) noexcept;

/// Calls `act` for each entry that still is what it says.
void for_each_listening(void (*act)(Listening&)) noexcept;

} // namespace usher::preload
