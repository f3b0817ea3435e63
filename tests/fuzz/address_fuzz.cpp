// SPDX-License-Identifier: MIT
//
// Whatever the text, it is refused in one line or is an address that reads the same when it is
// written out; and what a worker's library takes as well has the same port there.
#include "common/text/listen_address.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "worker/src/fallback_address.hpp"

#include <optional>
#include <stdexcept>
#include <string>

using namespace usher;
using namespace usher::fuzz;

namespace {

template <typename Parse>
auto parsed(Parse parse, std::string_view text) -> std::optional<decltype(parse(text))>
{
    try {
        return parse(text);
    } catch (const std::invalid_argument& error) {
        require(error.what()[0] != '\0');
        return std::nullopt;
    }
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
    }
    return "unix:" + address.path;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto text = text_of(data, size);
    const auto in_library = parsed(worker::parse_fallback_address, text);
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
