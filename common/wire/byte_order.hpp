// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>

namespace usher::wire {

/// Writes `value` at `out` in little-endian order and returns the place behind it.
template <std::unsigned_integral Value>
std::byte* put(std::byte* out, Value value) noexcept
{
    for (std::size_t i = 0; i < sizeof(Value); ++i)
        out[i] = static_cast<std::byte>(value >> (8 * i));
    return out + sizeof(Value);
}

/// Reads a little-endian `Value` from `in`, into `value`, and returns the place behind it.
template <std::unsigned_integral Value>
const std::byte* get(const std::byte* in, Value& value) noexcept
{
    value = 0;
    for (std::size_t i = 0; i < sizeof(Value); ++i)
        value = static_cast<Value>(value | static_cast<Value>(in[i]) << (8 * i));
    return in + sizeof(Value);
}

} // namespace usher::wire
