// SPDX-License-Identifier: MIT
#pragma once

#include <usher/worker/acceptor.hpp>

#include <chrono>

namespace demo {

/// How the demo worker behaves, well or badly.
struct Options {
    usher::worker::Options listen;
    std::chrono::milliseconds start_delay{0}; ///< from start to ready
    bool never_ready = false;
    unsigned health_after = 0; ///< /health answers 503 this many times first
    unsigned crash_after = 0;  ///< abort() after this many requests; 0: never
    bool ignore_term = false;
};

/// Reads the command line; on --help or a mistake says so and ends the process.
[[nodiscard]] Options parse_options(int argc, char** argv);

} // namespace demo
