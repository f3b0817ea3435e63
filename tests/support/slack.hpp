// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace usher::test {

/// What a deadline may be missed by: starting and ending processes takes its time, and more with
/// sanitizers.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr std::chrono::seconds slack{10};
#else
inline constexpr std::chrono::seconds slack{1};
#endif

} // namespace usher::test
