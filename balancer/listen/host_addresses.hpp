// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace usher {

/// What host names stand for, found out beforehand, where it may take its time.
class HostAddresses {
public:
    /// Knows none.
    HostAddresses() = default;

    /// Asks the system's resolver for all names in `listen`, and waits for its answers.
    explicit HostAddresses(const ResolvedConfig& config);

    /// The addresses of `host`, each once, for listening on `port`; of a name that it does not
    /// know, asks and waits.  Throws std::runtime_error if there are none.
    [[nodiscard]] std::vector<sys::SocketAddress> of(const std::string& host,
                                                     std::uint16_t port) const;

private:
    struct Answer {
        std::vector<sys::SocketAddress> addresses;
        std::string failure; ///< why there are none
    };

    std::map<std::string, Answer> answers_;
};

} // namespace usher
