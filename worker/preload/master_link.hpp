// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

/// What the shim tells the master.  Each message is sent once per worker, however many processes
/// that consists of.
namespace usher::preload {

/// Says `hello`: the shim was loaded into a process of the worker.
void say_loaded() noexcept;

/// Notes that the program listens where the connections of `queue` are for; says `ready` once that
/// is so for every queue.
void say_listening(std::size_t queue) noexcept;

} // namespace usher::preload
