// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/listening_socket.hpp"

#include <optional>
#include <string>

namespace usher {

/// Listens on the path `path`; `mode` are the file's permissions from its first moment on, the
/// umask decides if there is none.  For the rest see open_listeners().
[[nodiscard]] ListeningSocket open_unix_listener(const std::string& path,
                                                 std::optional<unsigned> mode, unsigned backlog);

} // namespace usher
