// SPDX-License-Identifier: MIT
#pragma once

#include "worker/preload/address.hpp"

#include <atomic>
#include <cstddef>

namespace usher::preload {

/// A descriptor that is a hand-off socket, while the program believes that it is its listening
/// socket.
struct Listening {
    std::atomic<int> fd{-1};
    std::size_t queue = 0;
    int family = AF_UNSPEC; ///< of the socket the program made
    bool is_guess = false;  ///< matched because there was no better one
    bool v6only = false;    ///< it expects no IPv4 client, not even as ::ffff:127.0.0.1
    Address wanted;         ///< what the program has bound it to
    Address real;           ///< where the pool listens, as the master said; of size 0: not asked
};

/// The entry of `fd`, null if there is none.  The number may have been reused since; if that
/// matters, ask is_listening().
[[nodiscard]] Listening* find_listening(int fd) noexcept;

/// The same, after checking that `fd` still is the hand-off socket, for one more system call.
[[nodiscard]] Listening* is_listening(int fd) noexcept;

/// Adds an entry, or replaces that of `fd`; null if there is no room.
Listening* add_listening(int fd, std::size_t queue, int family, const Address& wanted,
                         bool is_guess) noexcept;

/// Removes an entry whose number belongs to another file now.
void forget_listening(Listening& entry) noexcept;

/// A descriptor that is a hand-off socket of `queue`; -1 if the program has none.
[[nodiscard]] int listening_at(std::size_t queue) noexcept;

/// An entry of `queue` for a socket of `family`; null if there is none.
[[nodiscard]] Listening* find_family(std::size_t queue, int family) noexcept;

/// Calls `act` for each entry whose descriptor still is a hand-off socket.
void for_each_listening(void (*act)(Listening&)) noexcept;

} // namespace usher::preload
