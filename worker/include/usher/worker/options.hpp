// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace usher::worker {

/// How an Acceptor listens when there is no master.
struct Options {
    /// "8000", "127.0.0.1:8000", "[::1]:8000" or "unix:/path".  Numbers only: no names.
    std::string fallback = "127.0.0.1:8000";

    bool reuse_port = false; ///< SO_REUSEPORT: several processes share the port, the kernel deals
    int backlog = 4096;
};

} // namespace usher::worker
