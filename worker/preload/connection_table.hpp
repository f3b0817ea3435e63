// SPDX-License-Identifier: MIT
#pragma once

#include "worker/preload/address.hpp"

#include <optional>

namespace usher::preload {

/// Where a program must hear something else about a connection than the kernel would say.
struct ConnectionFacts {
    WireAddress peer{};     ///< none: the kernel's answer is right
    WireAddress local{};    ///< the same
    int family = AF_UNSPEC; ///< of the socket the program listens on
};

/// Allocates the table.  Called once, before the first connection.  If there is no memory for it,
/// the program hears what the kernel says.
void make_connection_table() noexcept;

/// Sets the facts of `fd`, a connection that the program has just accepted; null if the kernel's
/// answers are right.
void set_facts(int fd, const ConnectionFacts* facts) noexcept;

/// The facts of `fd`, if there are any.
[[nodiscard]] std::optional<ConnectionFacts> find_facts(int fd) noexcept;

} // namespace usher::preload
