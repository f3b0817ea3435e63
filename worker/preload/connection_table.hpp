// SPDX-License-Identifier: MIT
#pragma once

#include "common/wire/handoff.hpp"
#include "worker/preload/address.hpp"

namespace usher::preload {

/// What a program is to be told of a connection otherwise than the kernel would tell it.
struct ConnectionFacts {
    wire::Address peer;     ///< family unknown: what the kernel says
    wire::Address local;    ///< the same
    int family = AF_UNSPEC; ///< of the socket the program listens on
};

/// Makes the table; called once, before any connection comes.  Without memory for it there are no
/// facts, and the kernel's answers stand.
void make_connection_table() noexcept;

/// The program has taken the connection `fd`; null: what the kernel says is right.
void set_facts(int fd, const ConnectionFacts* facts) noexcept;

/// Copies what there is to know about `fd`; false if the kernel's answer is right.
[[nodiscard]] bool find_facts(int fd, ConnectionFacts& facts) noexcept;

} // namespace usher::preload
