// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

/// What the shim says to the master: each thing once for the whole worker, however many processes
/// it is made of.
namespace usher::preload {

/// The shim is in a process of the worker: `hello`.
void say_loaded() noexcept;

/// The program listens where the connections of `queue` are for; `ready` with the last one.
void say_listening(std::size_t queue) noexcept;

} // namespace usher::preload
