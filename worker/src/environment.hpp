// SPDX-License-Identifier: MIT
#pragma once

#include "common/scoreboard.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "usher/worker/acceptor.hpp"

#include <optional>

namespace usher::worker {

/// What the master has given to this process.
struct Inheritance {
    Identity identity;
    sys::UniqueFd handoff;
    sys::UniqueFd control;
    Scoreboard scoreboard;
};

/// Takes over what the master gave, once: the descriptors become close-on-exec and the variables
/// are removed, so that programs this process starts are not taken for workers.  Nothing if
/// there is no master.
///
/// Throws std::runtime_error that names the variable if one is damaged or of another protocol.
[[nodiscard]] std::optional<Inheritance> take_inheritance();

} // namespace usher::worker
