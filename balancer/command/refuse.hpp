// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/command/options.hpp"

#include <fmt/core.h>

#include <utility>

namespace usher {

/// Throws UsageError: one sentence that names the word at fault and the remedy.
template <typename... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args)
{
    throw UsageError{fmt::format(format, std::forward<Args>(args)...)};
}

} // namespace usher
