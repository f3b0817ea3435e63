// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace usher {

/// How the workers of a pool receive their connections; see docs/dialects.md.
enum class Dialect {
    automatic,  ///< at present always native
    native,     ///< the program speaks the worker protocol
    preload,    ///< an unmodified program that listens, with libusher-preload.so loaded into it
    node,       ///< the worker half of a Node program that uses `cluster`, unmodified
    listen_fds, ///< a program that takes listening sockets as from systemd
};

/// One dialect and the name it has in the configuration.
struct DialectName {
    Dialect dialect;
    std::string_view name;
};

/// All that may be written, in the order in which messages list them.
inline constexpr std::array dialect_names{
    DialectName{Dialect::automatic, "auto"},        DialectName{Dialect::native, "native"},
    DialectName{Dialect::preload, "preload"},       DialectName{Dialect::node, "node"},
    DialectName{Dialect::listen_fds, "listen-fds"},
};

[[nodiscard]] constexpr std::optional<Dialect> dialect_from(std::string_view name) noexcept
{
    for (const auto& entry : dialect_names)
        if (entry.name == name)
            return entry.dialect;
    return std::nullopt;
}

[[nodiscard]] constexpr std::string_view name_of(Dialect dialect) noexcept
{
    for (const auto& entry : dialect_names)
        if (entry.dialect == dialect)
            return entry.name;
    return {};
}

/// What `dialect` means in practice.
[[nodiscard]] constexpr Dialect resolve(Dialect dialect) noexcept
{
    return dialect == Dialect::automatic ? Dialect::native : dialect;
}

/// All of them, for the end of a sentence.
inline constexpr std::string_view dialect_choice =
    "\"auto\", \"native\", \"preload\", \"node\" or \"listen-fds\"";

} // namespace usher
