// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/listen/host_addresses.hpp"
#include "balancer/listen/socket_file.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace usher {

/// Somebody else listens there; the message names the address.  Ends `usher run` with exit 2.
class AddressInUse : public std::runtime_error {
public:
    explicit AddressInUse(const std::string& message, const sys::SocketAddress& address = {})
        : std::runtime_error{message}, address_{address}
    {
    }

    /// Where; of no family if it is no listener's.
    [[nodiscard]] const sys::SocketAddress& address() const noexcept { return address_; }

private:
    sys::SocketAddress address_;
};

/// A socket that listens or holds its place, and where.
struct ListeningSocket {
    sys::UniqueFd fd;           ///< none: the one that was held already
    sys::SocketAddress address; ///< as bound: with the real port
    SocketFile file;            ///< of a Unix socket
};

/// Says why `address` cannot be listened on: throws AddressInUse, or std::system_error.
[[noreturn]] void throw_bind_error(std::error_code error, const sys::SocketAddress& address);

enum class SocketUse {
    listen,
    share, ///< bound with SO_REUSEPORT and not listening: holds the address for others like it
};

/// Opens what `config` asks for, non-blocking and close-on-exec; more than one socket where a
/// name has several addresses in `hosts`, all with the same port.  A Unix socket listens whatever
/// `use` says.  An address in `held`, where the caller listens already, yields an entry without a
/// descriptor.
///
/// A Unix socket's file that nobody listens on any more is replaced, one that somebody listens
/// on never is.  Throws AddressInUse, or std::system_error with the address in its message.
[[nodiscard]] std::vector<ListeningSocket>
open_listeners(const ListenConfig& config, unsigned backlog, SocketUse use = SocketUse::listen,
               const HostAddresses& hosts = {}, const std::vector<sys::SocketAddress>& held = {});

} // namespace usher
