// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>

#include <chrono>
#include <cstdint>
#include <optional>

namespace usher::worker {

/// A TCP or Unix stream socket; an Asio socket like any other.
using Socket = boost::asio::generic::stream_protocol::socket;
using Endpoint = boost::asio::generic::stream_protocol::endpoint;

/// One accepted connection.
///
/// It counts as open on the worker's scoreboard until `socket`, or whatever `socket` was moved
/// into, is destroyed.  The socket's executor carries that count, so it also holds as long as
/// a timer, strand or coroutine made with `socket.get_executor()` lives: give those that outlive
/// the connection the io_context's executor instead.
struct Connection {
    explicit Connection(const Socket::executor_type& executor) : socket{executor} {}

    Socket socket;         ///< non-blocking and close-on-exec
    Endpoint peer;         ///< the client; of a Unix client only the family
    std::uint64_t id = 0;  ///< never the same twice in one pool while the master lives
    unsigned listener = 0; ///< index in the pool's list of listeners
    std::chrono::steady_clock::time_point accepted_at; ///< when the master accepted it

    /// The address that the client connected to.  Asks the kernel unless the master knew it.
    /// Throws boost::system::system_error if the socket is closed or was moved from.
    [[nodiscard]] Endpoint local() const
    {
        return known_local ? *known_local : socket.local_endpoint();
    }

    std::optional<Endpoint> known_local; ///< set where a proxy in front has told it
};

} // namespace usher::worker
