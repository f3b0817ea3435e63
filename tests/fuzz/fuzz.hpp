// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

/// What the targets share.  Each of them defines LLVMFuzzerTestOneInput(), which must bear any
/// bytes; what it promises of them it requires.
namespace usher::fuzz {

/// Ends the program, and so shows the input, unless `condition` holds.
inline void require(bool condition)
{
    if (!condition)
        std::abort();
}

[[nodiscard]] inline std::string_view text_of(const std::uint8_t* data, std::size_t size) noexcept
{
    return {reinterpret_cast<const char*>(data), size};
}

/// True if nothing in `text` can look like a line of the log.
[[nodiscard]] inline bool is_one_line(std::string_view text) noexcept
{
    return std::ranges::none_of(text, [](char c) { return c == '\n' || c == '\r'; });
}

} // namespace usher::fuzz

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
