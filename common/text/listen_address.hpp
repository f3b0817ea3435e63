// SPDX-License-Identifier: MIT
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace usher {

/// The longest path that fits `sockaddr_un::sun_path` with its terminating zero, and the longest
/// abstract name, which has a zero before it.
inline constexpr std::size_t longest_unix_path = 107;

/// Where to listen, taken apart but not resolved.
struct ListenAddress {
    enum class Kind {
        any,       ///< `port` on every interface
        host,      ///< `host` and `port`
        unix_path, ///< `path`
        unix_name, ///< `name` in the abstract namespace of unix(7), which is no file
    };

    Kind kind = Kind::any;
    std::string host;       ///< a name or a literal, e.g. "localhost", "::1", "fe80::1%eth0"
    std::uint16_t port = 0; ///< 0: the kernel chooses
    std::string path;
    std::string name;

    // clang-tidy 14 takes the zero in the generated code for a pointer.
    // NOLINTNEXTLINE(modernize-use-nullptr)
    friend auto operator<=>(const ListenAddress&, const ListenAddress&) = default;
};

/// Reads "8000", "*:8000", "127.0.0.1:8000", "[::]:8000", "localhost:8000", "unix:/path"
/// or "unix:@name".
/// Capitals matter in paths and in names of interfaces only.  Pure: looks up no name.
///
/// Throws std::invalid_argument with one sentence that names the remedy.
[[nodiscard]] ListenAddress parse_listen_address(std::string_view text);

/// True if both are parsed to the same, like "8000" and "*:8000".  Throws std::invalid_argument.
[[nodiscard]] bool mean_the_same(std::string_view some, std::string_view other);

/// True if binding to the address once more must fail: it names a socket file or a certain port.
[[nodiscard]] bool is_exclusive(const ListenAddress& address) noexcept;

} // namespace usher
