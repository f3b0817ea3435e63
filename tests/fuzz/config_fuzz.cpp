// SPDX-License-Identifier: MIT
//
// Whatever the bytes, decode_config() refuses them with a ConfigError of one line, or gives a
// configuration that a dump carries over unchanged.
#include "balancer/config/json/config_error.hpp"
#include "balancer/config/load.hpp"
#include "balancer/config/validate.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <optional>

using namespace usher;
using namespace usher::fuzz;

namespace {

std::optional<Config> decode(std::string_view text)
{
    try {
        return decode_config(text, "fuzz");
    } catch (const ConfigError& error) {
        require(std::string_view{error.what()}.find('\n') == std::string_view::npos);
        return std::nullopt;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto config = decode(text_of(data, size));
    if (!config)
        return 0;

    require(decode_config(dump_config(*config), "dump") == *config);
    try {
        validate(*config, "fuzz");
    } catch (const ConfigError&) { // may be incomplete
    }
    return 0;
}
