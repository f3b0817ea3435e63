// SPDX-License-Identifier: MIT
//
// Whatever the text, it is refused in one line or is an address that reads the same when it is
// written out; and what the C library takes as well has the same port there.
#include "common/sys/socket/socket_address.hpp"
#include "common/text/listen_address.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <optional>
#include <stdexcept>
#include <string>

extern "C" {
#include "worker/c/address.h"
}

using namespace usher;
using namespace usher::fuzz;

namespace {

std::optional<sys::SocketAddress> parsed_in_c(const std::string& text)
{
    uw_address address{};
    if (!uw_parse_address(text.c_str(), &address))
        return std::nullopt;
    return sys::SocketAddress{reinterpret_cast<const sockaddr*>(&address.storage), address.size};
}

std::string written(const ListenAddress& address)
{
    const auto port = ":" + std::to_string(address.port);
    switch (address.kind) {
    case ListenAddress::Kind::any:
        return "*" + port;
    case ListenAddress::Kind::host:
        return (address.host.find(':') == std::string::npos ? address.host
                                                            : "[" + address.host + "]") +
               port;
    case ListenAddress::Kind::unix_path:
        break;
    case ListenAddress::Kind::unix_name:
        return "unix:@" + address.name;
    }
    return "unix:" + address.path;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto text = text_of(data, size);
    const auto in_library = parsed_in_c(std::string{text});
    try {
        const auto address = parse_listen_address(text);
        require(parse_listen_address(written(address)) == address);
        if (in_library)
            require(in_library->port() == address.port);
    } catch (const std::invalid_argument& error) {
        require(is_one_line(error.what()));
    }
    return 0;
}
