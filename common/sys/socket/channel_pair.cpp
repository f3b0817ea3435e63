// SPDX-License-Identifier: MIT
#include "common/sys/socket/channel_pair.hpp"

#include "common/sys/syscall.hpp"

#include <array>

#include <sys/socket.h>

namespace usher::sys {

namespace {

ChannelPair make_pair(int type)
{
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()) < 0)
        throw_last_error("socketpair");

    return {.parent = UniqueFd{fds[0]}, .child = UniqueFd{fds[1]}};
}

} // namespace

ChannelPair make_channel_pair()
{
    return make_pair(SOCK_SEQPACKET);
}

ChannelPair make_stream_pair()
{
    return make_pair(SOCK_STREAM);
}

} // namespace usher::sys
