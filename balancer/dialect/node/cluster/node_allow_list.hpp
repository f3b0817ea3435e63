// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "balancer/dialect/node/channel/node_message.hpp"
#include "balancer/listen/host_addresses.hpp"

#include <set>
#include <string>
#include <vector>

namespace usher {

/// Where the servers of a pool's Node workers may listen: where `listen` says, or if it says
/// nothing everywhere.  Workers of another user than usher's get no more out of that than they
/// could do themselves: no files, no low ports, and no socket that usher was started with, unless
/// the configuration allows that.
class NodeAllowList {
public:
    NodeAllowList() = default; ///< no limit

    /// `names` knows the names in `listen`, or looks them up now.  Throws std::runtime_error if one
    /// is nobody's.
    explicit NodeAllowList(const ResolvedPool& config, const HostAddresses& names = {});

    /// `request` as it is to be opened: where the program asks for a port of `listen`, at the
    /// address that stands there; and at the only place in `listen` where it asks for another, if
    /// `is_first` of its servers.  All else is as it is asked for.
    [[nodiscard]] ServerRequest place_of(const ServerRequest& request, bool is_first) const;

    /// Why a worker of `config`, which may be newer than the list, must not have it, the rest of a
    /// sentence after "because"; empty if it may.
    [[nodiscard]] std::string refusal(const ServerRequest& request,
                                      const ResolvedPool& config) const;

private:
    struct Place {
        bool everywhere = false;     ///< any address
        std::set<std::string> hosts; ///< numeric
        int port = 0;
        std::string path; ///< absolute; of a Unix socket
        std::string name; ///< of one that is no file

        [[nodiscard]] bool is_unix() const noexcept { return !path.empty() || !name.empty(); }
    };

    [[nodiscard]] bool is_listed(const ServerRequest& request) const;

    std::vector<Place> places_; ///< none: no limit
    bool allow_inherited_ = false;
};

/// How the log calls what `request` asks for: `127.0.0.1:8000`, `unix:/path`, `port 8000`.
[[nodiscard]] std::string describe(const ServerRequest& request);

} // namespace usher
