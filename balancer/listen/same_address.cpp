// SPDX-License-Identifier: MIT
#include "balancer/listen/same_address.hpp"

#include <algorithm>
#include <filesystem>

namespace usher {

bool is_same(const sys::SocketAddress& a, const sys::SocketAddress& b)
{
    namespace fs = std::filesystem;
    if (a.path().empty() || b.path().empty())
        return a.to_string() == b.to_string();
    return fs::absolute(a.path()).lexically_normal() == fs::absolute(b.path()).lexically_normal();
}

bool is_unspecified(const sys::SocketAddress& address)
{
    const auto bytes = address.ip_bytes();
    return !bytes.empty() && std::ranges::all_of(bytes, [](auto byte) { return byte == 0; });
}

bool overlap(const sys::SocketAddress& a, const sys::SocketAddress& b)
{
    const bool everywhere = is_unspecified(a) || is_unspecified(b);
    return is_same(a, b) || (everywhere && a.port() == b.port());
}

} // namespace usher
