// SPDX-License-Identifier: MIT
#pragma once

#include "worker/preload/address.hpp"

namespace usher::preload {

/// Remembers that the program believes `fd` to be bound to `address`; false if there is no room.
[[nodiscard]] bool remember_bound(int fd, const Address& address) noexcept;

/// Where the program believes `fd` to be bound; false if it was told the truth.
[[nodiscard]] bool find_bound(int fd, Address& address) noexcept;

/// The same, and forgets it.
[[nodiscard]] bool take_bound(int fd, Address& address) noexcept;

} // namespace usher::preload
