// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace usher {

/// A place where a pool listens.
struct Listening {
    std::string name; ///< as the log calls it

    /// How many clients wait there in the kernel's backlog; nothing if it cannot be asked, as of
    /// Unix and UDP sockets.
    std::optional<std::size_t> waiting;
};

} // namespace usher
