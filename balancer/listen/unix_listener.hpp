// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/listen/listening_socket.hpp"

#include <optional>
#include <string>

namespace usher {

/// Listens on the path `path`; `mode` are the file's permissions from its first moment on, the
/// umask decides if there is none.  For the rest see open_listeners().
///
/// Waits for nobody.  Root refuses a path that other users can lead elsewhere (trusted_place.hpp),
/// so that the path stays good for what is done with it later.
[[nodiscard]] ListeningSocket open_unix_listener(const std::string& path,
                                                 std::optional<unsigned> mode, unsigned backlog);

} // namespace usher
