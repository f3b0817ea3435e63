// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/load.hpp"

#include <string>
#include <string_view>

namespace usher::test {

/// What decode_config() says of `text`, which it knows as `f`; "no error" if it takes it.
inline std::string error_of(std::string_view text)
{
    try {
        static_cast<void>(decode_config(text, "f"));
        return "no error";
    } catch (const ConfigError& error) {
        return error.what();
    }
}

/// A document with one pool of these members.
inline std::string pool_text(std::string_view members)
{
    return "{\"pools\": [{" + std::string{members} + "}]}";
}

/// What decode_config() says of a pool with these members.
inline std::string pool_error(std::string_view members)
{
    return error_of(pool_text(members));
}

/// The pool with these members.
inline PoolConfig pool_of(std::string_view members)
{
    return decode_config(pool_text(members), "f").pools.at(0);
}

} // namespace usher::test
