// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/dialect/node/node_message.hpp"

#include <set>
#include <string>
#include <vector>

namespace usher {

/// Where the servers of a pool's Node workers may listen: everywhere, or where `listen` says.
class NodeAllowList {
public:
    /// Looks names up.  Throws std::runtime_error if one is nobody's.
    explicit NodeAllowList(const std::vector<ListenConfig>& listen);

    [[nodiscard]] bool allows(const ServerRequest& request) const;

private:
    struct Place {
        bool everywhere = false;     ///< any address
        std::set<std::string> hosts; ///< numeric
        int port = 0;
        std::string path; ///< absolute; of a Unix socket
    };

    std::vector<Place> places_; ///< none: no limit
};

/// How the log calls what `request` asks for: `127.0.0.1:8000`, `unix:/path`, `port 8000`.
[[nodiscard]] std::string describe(const ServerRequest& request);

} // namespace usher
