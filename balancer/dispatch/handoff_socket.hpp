// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/outgoing_packet.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/channel_pair.hpp"

#include <cstddef>
#include <system_error>
#include <utility>

namespace usher {

/// The way on which connections go to a worker: a pair of SOCK_SEQPACKET sockets, whose sendmsg(2)
/// queues a whole packet or nothing of it.
///
/// The master keeps the worker's end as well, so that it can read back what a dead worker had
/// not taken.  For the same reason the worker's death never shows on this socket.
class HandoffSocket {
public:
    /// Has room for `max_queue` packets.  Throws std::system_error.
    explicit HandoffSocket(std::size_t max_queue);

    /// POLLHUP here says that it was shut down at either side: nothing can be sent any more.
    [[nodiscard]] int master_end() const noexcept { return pair_.parent.get(); }

    /// To give to the worker; -1 if it was taken.
    [[nodiscard]] int worker_end() const noexcept { return pair_.child.get(); }

    /// What an error means says sys::is_back_pressure().
    [[nodiscard]] std::error_code send(const OutgoingPacket& packet) const noexcept;

    /// No further packet comes: the worker reads what is left, then end-of-file.
    void shut_down() const noexcept;

    /// To read back what is queued.
    [[nodiscard]] sys::UniqueFd take_worker_end() noexcept { return std::move(pair_.child); }

private:
    sys::ChannelPair pair_;
};

} // namespace usher
