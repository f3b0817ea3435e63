// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <string>
#include <vector>

namespace usher {

/// What a worker's link asks of its pool whose dialect, or whose place to listen, is to be found.
class PreloadHost {
public:
    /// Where a worker's connections come from.
    struct Place {
        int error = 0;              ///< errno(3); 0: it has the place
        std::string reason{};       ///< of an error: one clause
        sys::SocketAddress address; ///< where the pool listens; unspecified: as the worker wants it
    };

    /// Where the pool listens, with the real ports.
    [[nodiscard]] virtual std::vector<sys::SocketAddress> addresses() const = 0;

    /// The place of a program of `config` that wants to listen on `wanted`, a TCP address.  A pool
    /// that listens nowhere yet begins to, unless the program only `tries`; so it does on further
    /// addresses of its own port.  Never throws.
    [[nodiscard]] virtual Place place_for(const sys::SocketAddress& wanted, bool v6only, bool tries,
                                          const ResolvedPool& config) = 0;

    /// A program has shown that it speaks `dialect`, native or preload: one clause says by what.
    virtual void on_found(Dialect dialect, const std::string& how) = 0;

    /// A program of `config`, of that generation, has turned out to be the primary of Node's
    /// cluster.  True if usher takes its place, so that the worker is to be started anew; not where
    /// others serve, or have.
    [[nodiscard]] virtual bool replaces_primary(const ResolvedPool& config,
                                                unsigned generation) = 0;

protected:
    ~PreloadHost() = default;
};

} // namespace usher
