// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <sys/socket.h>

namespace usher::sys {

/// The two ends of a connected AF_UNIX socket.
struct ChannelPair {
    UniqueFd parent;
    UniqueFd child;
};

/// Makes a packet-preserving pair, both ends non-blocking and close-on-exec.
///
/// SOCK_SEQPACKET, because a packet and the descriptors that ride on it arrive together or
/// not at all, and a dead peer reads as end of file.
///
/// Throws std::system_error.
[[nodiscard]] ChannelPair make_channel_pair(int type = SOCK_SEQPACKET);

/// The same as a pair of streams, as a connection is: neither end knows that it came over no
/// listener.
///
/// Throws std::system_error.
[[nodiscard]] inline ChannelPair make_stream_pair()
{
    return make_channel_pair(SOCK_STREAM);
}

} // namespace usher::sys
