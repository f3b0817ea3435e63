// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/dispatch/socket_file.hpp"
#include "common/sys/socket_address.hpp"
#include "common/sys/unique_fd.hpp"

#include <stdexcept>
#include <string>
#include <vector>

namespace usher {

/// Somebody else listens there; the message names the address.  Ends `usher run` with exit 2.
class AddressInUse : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A socket that listens, and where.
struct ListeningSocket {
    sys::UniqueFd fd;
    sys::SocketAddress address; ///< as bound: with the real port
    SocketFile file;            ///< of a Unix socket
};

/// Opens what `config` asks for, non-blocking and close-on-exec; more than one socket where a
/// name has several addresses, all with the same port.
///
/// A Unix socket's file that nobody listens on any more is replaced, one that somebody listens
/// on never is.  Throws AddressInUse, or std::system_error with the address in its message.
[[nodiscard]] std::vector<ListeningSocket> open_listeners(const ListenConfig& config,
                                                          unsigned backlog);

} // namespace usher
