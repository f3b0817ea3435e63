// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/pool/pool.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace usher {

/// Where the pools of usher listen, so that an address that is in use can be said to be usher's
/// own.
class ListenPlaces {
public:
    /// What `pools` have open.
    explicit ListenPlaces(const std::vector<std::shared_ptr<Pool>>& pools = {});

    /// The Unix listeners of `pools` of which `opened` does not know yet.  Where one is open
    /// already there may be need for another.
    [[nodiscard]] std::vector<UnixListeners::Wanted>
    find_wanted(const std::vector<ResolvedPool>& pools, const UnixListeners& opened) const;

    /// The same of what is open, with what the pools' programs have asked for.
    [[nodiscard]] std::vector<UnixListeners::Wanted>
    find_held(const std::vector<ResolvedPool>& pools) const;

    /// As Pool::prepare(); what it opens is known from then on.
    [[nodiscard]] ListenerChange prepare(Pool& pool, const ResolvedPool& next,
                                         SocketSource& sockets);

private:
    struct Place {
        std::string pool;
        sys::SocketAddress address;
        bool is_old; ///< not opened by prepare()
    };

    [[nodiscard]] bool is_node(const ResolvedPool& pool) const;
    void add_wanted(std::vector<UnixListeners::Wanted>& wanted, const ResolvedPool& pool,
                    const Intake::Asked& asked, const UnixListeners& opened) const;
    [[noreturn]] static void refuse(const std::string& pool, const sys::SocketAddress& wanted,
                                    const Place& place);

    std::vector<Place> places_;
    std::vector<SocketFile> files_;                               ///< of some of them
    std::map<std::string, std::vector<Intake::Asked>> asked_for_; ///< by pool: see Intake
    std::set<std::string> found_node_; ///< pools that have turned out to be Node's cluster
};

} // namespace usher
