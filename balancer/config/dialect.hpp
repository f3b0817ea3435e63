// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/units/names.hpp"

#include <string_view>

namespace usher {

/// How the workers of a pool receive their connections; see docs/dialects.md.
enum class Dialect {
    automatic,  ///< at present always native
    native,     ///< the program speaks the worker protocol
    preload,    ///< an unmodified program that listens, with libusher-preload.so loaded into it
    node,       ///< the worker half of a Node program that uses `cluster`, unmodified
    listen_fds, ///< a program that takes listening sockets as from systemd
    none,       ///< a program to which nobody connects
};

inline constexpr Names<Dialect, 6> dialect_names{{
    {Dialect::automatic, "auto"},
    {Dialect::native, "native"},
    {Dialect::preload, "preload"},
    {Dialect::node, "node"},
    {Dialect::listen_fds, "listen-fds"},
    {Dialect::none, "none"},
}};

[[nodiscard]] constexpr std::string_view name_of(Dialect dialect) noexcept
{
    return name_of(dialect_names, dialect);
}

/// What `dialect` means in practice.
[[nodiscard]] constexpr Dialect resolve(Dialect dialect) noexcept
{
    return dialect == Dialect::automatic ? Dialect::native : dialect;
}

/// True if a pool listens nowhere unless its configuration says where.
[[nodiscard]] constexpr bool needs_listen(Dialect dialect) noexcept
{
    return dialect != Dialect::node && dialect != Dialect::none; // whose workers say, or nobody
}

} // namespace usher
