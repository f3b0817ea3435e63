// SPDX-License-Identifier: MIT
#pragma once

namespace usher::test {

/// True in the build that looks for memory faults.  That one is slow and keeps freed memory, so
/// how much, how many and how long is for the release build.
#if defined(__SANITIZE_ADDRESS__) || defined(USHER_TEST_PROGRAMS_HAVE_SANITIZERS)
inline constexpr bool with_sanitizers = true;
#else
inline constexpr bool with_sanitizers = false;
#endif

} // namespace usher::test
