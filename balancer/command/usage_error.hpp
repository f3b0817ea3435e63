// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <utility>

namespace usher {

/// A command line that cannot be used: one sentence with the remedy.  The process exits with 2.
class UsageError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Throws UsageError: one sentence that names the word at fault and the remedy.
template <typename... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args)
{
    throw UsageError{fmt::format(format, std::forward<Args>(args)...)};
}

} // namespace usher
