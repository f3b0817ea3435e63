// SPDX-License-Identifier: MIT
#include "common/sys/socket/channel_pair.hpp"

#include "common/sys/fd/moved_up.hpp"
#include "common/sys/syscall.hpp"

#include <array>

namespace usher::sys {

ChannelPair make_channel_pair(int type)
{
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()) < 0)
        throw_last_error("socketpair");

    return {.parent = UniqueFd{fds[0]}, .child = moved_up(UniqueFd{fds[1]})};
}

} // namespace usher::sys
