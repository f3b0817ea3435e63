// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <chrono>
#include <functional>
#include <vector>

namespace usher {

/// Closes what another user has had in their hands, on a thread beside the event loop: the last
/// close of a socket that lingers (socket(7)), and every close of a file on FUSE, waits for as long
/// as they like.
///
/// A close that is stuck does not keep the next one waiting: up to 8 threads close sockets, as many
/// all else, which only FUSE can hold up, as many empty queues, and as many do what do_elsewhere()
/// is given; idle ones end.  When all are
/// stuck the rest stays open until one is not, and counts towards RLIMIT_NOFILE.  False if more
/// than 1,024 wait by now: whoever sends them should not be let send more; or if there is no memory
/// for it to wait.
bool close_elsewhere(sys::UniqueFd fd) noexcept;

/// The same for all of `fds`, which is empty then.
bool close_elsewhere(std::vector<sys::UniqueFd>& fds) noexcept;

/// The same of a socket that is shut down for reading: first what waits there is received, and
/// whatever descriptors it brings are never installed.
bool drain_elsewhere(sys::UniqueFd socket) noexcept;

/// Does `work`, which owns all it uses and never throws, on such a thread: what removes or changes
/// files waits for disks.
void do_elsewhere(std::function<void()> work) noexcept;

/// Waits until all of that is done, but no longer than this.
void finish_elsewhere(std::chrono::milliseconds longest) noexcept;

} // namespace usher
