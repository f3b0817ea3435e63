// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/listen/listening_socket.hpp"

#include <optional>
#include <string>

namespace usher {

/// What to do while somebody else holds the lock of the folder: any process that can read it may.
enum class FolderLocked {
    wait,
    fail, ///< at once, with std::errc::resource_unavailable_try_again
};

/// Listens on the path `path`; `mode` are the file's permissions from its first moment on, the
/// umask decides if there is none.  For the rest see open_listeners().
[[nodiscard]] ListeningSocket open_unix_listener(const std::string& path,
                                                 std::optional<unsigned> mode, unsigned backlog,
                                                 FolderLocked locked = FolderLocked::wait);

} // namespace usher
