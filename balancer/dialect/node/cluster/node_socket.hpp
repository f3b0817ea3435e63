// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/dialect/node/channel/node_message.hpp"
#include "balancer/listen/listening_socket.hpp"

#include <string>

namespace usher {

/// Opens what `request` asks for, non-blocking and close-on-exec; a `backlog` for where it names
/// none.  A Unix socket listens whatever `use` says, and its file that nobody listens on any more
/// is replaced, which Node's primary does not.
///
/// Throws std::system_error with the errno that Node's primary would report.
[[nodiscard]] ListeningSocket open_node_socket(const ServerRequest& request, SocketUse use,
                                               unsigned backlog);

/// How to open a Unix socket at `path` as for `request`.
[[nodiscard]] ListenConfig node_file_config(const std::string& path, const ServerRequest& request);

} // namespace usher
