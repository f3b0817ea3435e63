// SPDX-License-Identifier: MIT
#pragma once

#include "worker/preload/address.hpp"

namespace usher::preload {

/// Remembers that the program believes `fd` to be bound to `address`; false if there is no room.
[[nodiscard]] bool remember_bound(int fd, const Address& address) noexcept;

/// Where the program believes `fd` to be bound; an address of size 0 if it was told the truth.
[[nodiscard]] Address find_bound(int fd) noexcept;

/// The same, and forgets it.
[[nodiscard]] Address take_bound(int fd) noexcept;

} // namespace usher::preload
