// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

namespace usher {

/// Has `work`, which must not throw, done on a thread of its own that nobody waits for.  Signals
/// are the loop's: there all are blocked.
///
/// Throws std::system_error, which says which limits to raise.
void start_thread(std::function<void()> work);

} // namespace usher
