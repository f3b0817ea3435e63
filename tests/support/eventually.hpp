// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <thread>

namespace usher::test {

using namespace std::chrono_literals;

/// Asks `condition` until it is true or `limit` has passed; for things that send no event, such as
/// another process's state.
template <typename Condition>
[[nodiscard]] bool eventually(Condition condition, std::chrono::milliseconds limit = 60s)
{
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline)
            return false;
        std::this_thread::sleep_for(2ms);
    }
    return true;
}

} // namespace usher::test
