// SPDX-License-Identifier: MIT
#pragma once

#include "worker/preload/address.hpp"

#include <cstddef>
#include <cstdint>

/// What the shim tells the master, and asks it.  Each message but a question is sent once per
/// worker, however many processes that consists of.
namespace usher::preload {

/// The shim was loaded into a process of the worker.  Says `hello`, unless the program may be one
/// that says so itself.
void say_loaded() noexcept;

/// The program forks a worker of Node's cluster.
void say_node_primary() noexcept;

/// Why the program asks: the kernel has refused its bind(), or it listens.
enum class Wish { bind, listen };

struct Verdict {
    std::uint32_t code = 0; ///< of ShimVerdict, or an errno(3)
    Address address;        ///< where the pool listens; of size 0: as the program wants it
};

/// Asks whether a TCP or Unix socket at `wanted` is the pool's, and waits for the answer; what was
/// said before, in whatever process of the worker, counts.  ECONNABORTED if the master is gone.
[[nodiscard]] Verdict ask_master(Wish wish, const Address& wanted, bool v6only) noexcept;

/// Notes that the program listens where the connections of `queue` are for; says `ready` once that
/// is so for every queue.
void say_listening(std::size_t queue) noexcept;

} // namespace usher::preload
