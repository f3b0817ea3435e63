// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

namespace usher::sys {

/// The two ends of a pipe.
struct Pipe {
    UniqueFd reader;
    UniqueFd writer;
};

/// Makes a pipe for another process to write to: both ends close-on-exec, ours non-blocking, the
/// writer's blocking as programs expect it of their standard output.
///
/// Throws std::system_error.
[[nodiscard]] Pipe make_pipe_to_read();

} // namespace usher::sys
