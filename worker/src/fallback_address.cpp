// SPDX-License-Identifier: MIT
#include "fallback_address.hpp"

#include <boost/asio/ip/address.hpp>

#include <charconv>
#include <stdexcept>
#include <string>

namespace asio = boost::asio;

namespace usher::worker {

namespace {

[[noreturn]] void refuse(std::string_view text)
{
    throw std::invalid_argument{
        "\"" + std::string{text} +
        "\" is no address to listen on: write 8000, 127.0.0.1:8000, [::1]:8000 or unix:/path"};
}

} // namespace

sys::SocketAddress parse_fallback_address(std::string_view text)
{
    constexpr std::string_view unix_prefix = "unix:";
    if (text.starts_with(unix_prefix) && text.size() > unix_prefix.size())
        return sys::SocketAddress::unix_path(text.substr(unix_prefix.size()));

    const auto colon = text.rfind(':');
    auto host = colon == std::string_view::npos ? "0.0.0.0" : text.substr(0, colon);
    const auto digits = colon == std::string_view::npos ? text : text.substr(colon + 1);
    if (host.starts_with('[') && host.ends_with(']'))
        host = host.substr(1, host.size() - 2);

    std::uint16_t port = 0;
    const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    boost::system::error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (bad != std::errc{} || end != digits.data() + digits.size() || error)
        refuse(text);

    return address.is_v4()
               ? sys::SocketAddress::ipv4(address.to_v4().to_bytes(), port)
               : sys::SocketAddress::ipv6(address.to_v6().to_bytes(), port,
                                          static_cast<std::uint32_t>(address.to_v6().scope_id()));
}

} // namespace usher::worker
