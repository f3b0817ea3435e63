// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/node/channel/node_message.hpp"
#include "balancer/listen/socket_file.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/socket_address.hpp"

namespace usher {

/// A socket for servers of Node workers, non-blocking and close-on-exec.
struct NodeSocket {
    sys::UniqueFd fd;
    sys::SocketAddress address; ///< as bound: with the real port
    SocketFile file;            ///< of a Unix socket
};

/// What is to be done with a stream socket.
enum class NodeSocketUse {
    listen, ///< it listens
    share,  ///< it is bound with SO_REUSEPORT and does not listen: its worker does that
};

/// Opens what `request` asks for; a `backlog` for where it names none.  The result is 0 or the
/// errno that Node's primary would report.
///
/// A Unix socket's file that nobody listens on any more is replaced, which Node's does not.
[[nodiscard]] int open_node_socket(const ServerRequest& request, NodeSocketUse use,
                                   unsigned backlog, NodeSocket& socket);

} // namespace usher
