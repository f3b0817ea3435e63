// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/io_context.hpp>

#include <chrono>

namespace usher::test {

/// Runs `io` until `condition` holds; false if it does not within 60 s, or if nothing is left to
/// run that could make it hold.
template <typename Condition>
[[nodiscard]] bool run_until(boost::asio::io_context& io, Condition condition)
{
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (!condition()) {
        io.restart();
        if (io.run_one_until(deadline) == 0)
            return condition();
    }
    return true;
}

/// Runs what can run now, without waiting for anything.
inline void run_ready(boost::asio::io_context& io)
{
    io.restart();
    while (io.poll() > 0) {
    }
}

/// Runs `io` until nothing is left to run; false if that takes longer than 60 s.
[[nodiscard]] inline bool run_to_end(boost::asio::io_context& io)
{
    io.restart();
    io.run_for(std::chrono::seconds{60});
    return io.stopped();
}

} // namespace usher::test
