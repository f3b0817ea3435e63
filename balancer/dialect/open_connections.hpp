// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/proc.hpp"
#include "balancer/dialect/proc_looks.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <sys/types.h>

namespace usher {

/// Counts the connections that a worker has open which cannot tell us, by what the kernel shows of
/// its descriptors in /proc.
///
/// Where the worker has sockets of its own besides, it reads all TCP connections of the machine,
/// so it is only for moments when that is worth it.
class OpenConnections {
public:
    /// `listeners` are where its connections come in, `given` the descriptors it got from us.
    OpenConnections(const std::vector<sys::SocketAddress>& listeners,
                    const std::vector<int>& given);

    /// Their places have changed.
    void set_listeners(const std::vector<sys::SocketAddress>& listeners);

    /// What the process and its descendants have open; nothing if the kernel does not let us look,
    /// or that is more than `walk` looks at.  Takes long where the machine has many connections.
    [[nodiscard]] std::optional<std::size_t> count(pid_t process, proc::Walk walk = {}) const;

    /// The same as one of the `looks` at this worker; nothing also when `deadline` expires or is
    /// cancelled first.  Never throws.
    [[nodiscard]] boost::asio::awaitable<std::optional<std::size_t>>
    count(pid_t process, ProcLooks& looks, boost::asio::steady_timer& deadline) const;

private:
    [[nodiscard]] ino_t tcp_inode(const char* line) const;
    [[nodiscard]] ino_t unix_inode(const char* line) const;

    std::set<std::uint16_t> ports_;
    std::set<std::string, std::less<>> paths_;
    std::set<ino_t> given_;
};

/// A TCP port on which `process` or a descendant listens; nothing if there is none, or that cannot
/// be seen.  Takes long where the machine has many connections.
[[nodiscard]] std::optional<std::uint16_t> find_listening_port(pid_t process);

} // namespace usher
