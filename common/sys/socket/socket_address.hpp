// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace usher::sys {

/// A socket address of any family, as the kernel writes it.
class SocketAddress {
public:
    SocketAddress() noexcept = default; ///< unspecified: family AF_UNSPEC, no length
    SocketAddress(const sockaddr* address, socklen_t size) noexcept;

    [[nodiscard]] static SocketAddress ipv4(std::span<const std::uint8_t, 4> bytes,
                                            std::uint16_t port) noexcept;
    [[nodiscard]] static SocketAddress ipv6(std::span<const std::uint8_t, 16> bytes,
                                            std::uint16_t port, std::uint32_t scope_id) noexcept;

    /// A Unix-domain path.  Throws std::invalid_argument if it does not fit `sun_path` (107 bytes).
    [[nodiscard]] static SocketAddress unix_path(std::string_view path);

    /// A name in the abstract namespace of unix(7).  Throws std::invalid_argument if it is longer
    /// than 107 bytes.
    [[nodiscard]] static SocketAddress unix_name(std::string_view name);

    [[nodiscard]] int family() const noexcept { return storage_.ss_family; }
    [[nodiscard]] socklen_t size() const noexcept { return size_; }
    [[nodiscard]] const sockaddr* data() const noexcept
    {
        return reinterpret_cast<const sockaddr*>(&storage_);
    }

    /// For the kernel to write into: `data()` of `capacity()` bytes, then `resize()`.
    [[nodiscard]] sockaddr* data() noexcept { return reinterpret_cast<sockaddr*>(&storage_); }
    [[nodiscard]] static constexpr socklen_t capacity() noexcept
    {
        return sizeof(sockaddr_storage);
    }
    void resize(socklen_t size) noexcept { size_ = size; }

    [[nodiscard]] std::uint16_t port() const noexcept; ///< 0 where the family has none
    void set_port(std::uint16_t port) noexcept;        ///< does nothing where the family has none

    /// 4 or 16 bytes in network order; empty where the family has none.
    [[nodiscard]] std::span<const std::uint8_t> ip_bytes() const noexcept;
    [[nodiscard]] std::uint32_t scope_id() const noexcept;

    /// The path of a Unix-domain address; empty for one that is unnamed, or abstract.
    [[nodiscard]] std::string_view path() const noexcept;

    /// The name of an abstract Unix-domain address; empty for all others.
    [[nodiscard]] std::string_view name() const noexcept;

    /// `127.0.0.1:80`, `[::1]:80`, `unix:/path`, `unix:@name`, `unix:` for an unnamed peer.
    [[nodiscard]] std::string to_string() const;

private:
    /// The views of the storage, which it is made for (POSIX).
    union {
        sockaddr_storage storage_{};
        sockaddr_in ipv4_;
        sockaddr_in6 ipv6_;
        sockaddr_un unix_;
    };
    socklen_t size_ = 0;
};

} // namespace usher::sys
