// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/pool/pool.hpp"

#include <map>
#include <memory>
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

    /// As Pool::prepare(); what it opens is known from then on.
    [[nodiscard]] ListenerChange prepare(Pool& pool, const ResolvedPool& next,
                                         SocketSource& sockets);

private:
    struct Place {
        std::string pool;
        sys::SocketAddress address;
        bool is_old; ///< not opened by prepare()
    };

    [[noreturn]] static void refuse(const std::string& pool, const sys::SocketAddress& wanted,
                                    const Place& place);

    std::vector<Place> places_;
    std::map<std::string, Dialect> found_; ///< of pools whose dialect is to be found
    std::vector<SocketFile> files_;        ///< of some of them
};

} // namespace usher
