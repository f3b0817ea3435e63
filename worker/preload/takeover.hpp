// SPDX-License-Identifier: MIT
#pragma once

#include "worker/preload/address.hpp"
#include "worker/preload/listening_table.hpp"

namespace usher::preload {

/// True if a socket bound to `address` might be the one that is fed by the master.
[[nodiscard]] bool might_match(const Address& address) noexcept;

enum class TakeOver {
    done,
    no_match, ///< not the pool's: the program's own affair
    failed,   ///< with errno
};

/// Makes a hand-off socket of `fd`, a stream socket that is, or is believed to be, bound to
/// `wanted`.
[[nodiscard]] TakeOver take_over(int fd, const Address& wanted) noexcept;

/// A descriptor that the program got in another way than by listen(), such as dup() or a parent:
/// its entry if it is a hand-off socket, null if not.
[[nodiscard]] Listening* recognize(int fd) noexcept;

/// Puts `replacement` also under the number of `entry`, with the flags and the registrations with
/// epoll that are there.
void replace(const Listening& entry, int replacement) noexcept;

} // namespace usher::preload
