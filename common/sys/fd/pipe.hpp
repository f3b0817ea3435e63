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

/// Lets a process that has `pipe` open it once more by its name, /dev/stderr for one, to write to
/// it, whichever user it is: that is the pipe's maker's alone otherwise, and who has not got it has
/// no name for it.
///
/// Throws std::system_error.
void let_others_write(const UniqueFd& pipe);

} // namespace usher::sys
