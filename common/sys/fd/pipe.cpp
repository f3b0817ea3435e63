// SPDX-License-Identifier: MIT
#include "common/sys/fd/pipe.hpp"

#include "common/sys/fd/moved_up.hpp"
#include "common/sys/syscall.hpp"

#include <array>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::sys {

Pipe make_pipe_to_read()
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0)
        throw_last_error("pipe2");
    Pipe pipe{.reader = UniqueFd{ends[0]}, .writer = moved_up(UniqueFd{ends[1]})};

    // Each end has flags of its own.
    if (::fcntl(pipe.reader.get(), F_SETFL, O_NONBLOCK) < 0)
        throw_last_error("F_SETFL");
    return pipe;
}

void let_others_write(const UniqueFd& pipe)
{
    constexpr mode_t mode = 0622;
    if (::fchmod(pipe.get(), mode) < 0)
        throw_last_error("fchmod");
}

} // namespace usher::sys
