// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace usher::test {

/// What a deadline may be missed by, because the machine is busy: to be used where what would go
/// wrong takes much longer or never ends.
inline constexpr std::chrono::seconds slack{10};

} // namespace usher::test
