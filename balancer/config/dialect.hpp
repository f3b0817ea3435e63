// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/units/names.hpp"

#include <string_view>

namespace usher {

/// How the workers of a pool receive their connections; see docs/dialects.md.
enum class Dialect {
    automatic,  ///< what the program shows: native, preload or node
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

/// False if the workers can say where their pool listens.
[[nodiscard]] constexpr bool needs_listen(Dialect dialect) noexcept
{
    return dialect == Dialect::native || dialect == Dialect::listen_fds;
}

} // namespace usher
