// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string_view>

namespace usher {

/// A configuration that cannot be used: one sentence with the file, the JSON pointer and the
/// remedy.  The process exits with 3.
class ConfigError : public std::runtime_error {
public:
    static constexpr std::size_t longest_pointer = 240; ///< it is cut behind that

    /// Says `FILE: POINTER: problem`.  An empty pointer, the whole document, is left out.
    ConfigError(std::string_view file, std::string_view pointer, std::string_view problem);
};

} // namespace usher
