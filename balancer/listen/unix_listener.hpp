// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/listen/listening_socket.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace usher {

/// Listens on the path `path`; `mode` are the file's permissions, and at no moment has it more;
/// the umask decides if there is none.  `owner` is whose it is.  For the rest see open_listeners().
///
/// While another usher opens one at the same path, tries again for `patience`.  Waits for nobody
/// else's lock, but perhaps for a disk, and for a file that is being removed.  Root refuses a path
/// that other users can lead elsewhere (trusted_place.hpp), so that the path stays good for what is
/// done with it later.
[[nodiscard]] ListeningSocket open_unix_listener(const std::string& path,
                                                 std::optional<unsigned> mode, unsigned backlog,
                                                 sys::FileOwner owner = {},
                                                 std::chrono::milliseconds patience = {});

/// The `patience` of who may wait: another usher has opened its socket by then.
inline constexpr std::chrono::milliseconds longest_opening{1'000};

} // namespace usher
