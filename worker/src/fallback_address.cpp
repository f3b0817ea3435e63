// SPDX-License-Identifier: MIT
#include "fallback_address.hpp"

#include "common/text/listen_address.hpp"
#include "common/text/one_line.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <stdexcept>

namespace usher::worker {

sys::SocketAddress parse_fallback_address(std::string_view text)
{
    const ListenAddress where = parse_listen_address(text);
    if (where.kind == ListenAddress::Kind::unix_path)
        return sys::SocketAddress::unix_path(where.path);

    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(
        where.kind == ListenAddress::Kind::any ? "0.0.0.0" : where.host, error);
    if (error)
        throw std::invalid_argument{quote(text) + " has a name: use numbers, e.g. 127.0.0.1:8000"};
    const boost::asio::ip::tcp::endpoint endpoint{address, where.port};
    return {endpoint.data(), static_cast<socklen_t>(endpoint.size())};
}

} // namespace usher::worker
