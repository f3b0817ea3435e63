// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace usher {

/// Reads a whole number with its unit: KiB, MiB or GiB.
///
/// Throws std::invalid_argument with a sentence that says what to write instead.
[[nodiscard]] std::uint64_t parse_byte_size(std::string_view text);

/// The shortest text that parse_byte_size() reads as `size`, without a unit if it has none.
[[nodiscard]] std::string format_byte_size(std::uint64_t size);

} // namespace usher
