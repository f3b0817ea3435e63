// SPDX-License-Identifier: MIT
#include "balancer/dispatch/handoff_socket.hpp"

#include "common/sys/socket/fd_message.hpp"

#include <sys/socket.h>

namespace usher {

namespace {

/// What one queued packet of one record costs of the sender's buffer, generously: 766 bytes were
/// seen, and the kernel's default (net.core.wmem_default) holds 278 such packets.
constexpr std::size_t buffer_per_connection = 1'024;
constexpr std::size_t default_buffer_holds = 200;

void enlarge_send_buffer(int socket, std::size_t max_queue) noexcept
{
    if (max_queue <= default_buffer_holds)
        return;

    // The first needs CAP_NET_ADMIN, the second stops at net.core.wmem_max.  With neither the
    // kernel's EAGAIN is the bound, which only makes the queue shorter than asked for.
    const int size = static_cast<int>(max_queue * buffer_per_connection);
    if (::setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
        ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

} // namespace

HandoffSocket::HandoffSocket(std::size_t max_queue) : pair_{sys::make_channel_pair()}
{
    enlarge_send_buffer(master_end(), max_queue);

    // The worker never sends here, and what it would send nobody reads.
    ::shutdown(master_end(), SHUT_RD);
}

std::error_code HandoffSocket::send(const OutgoingPacket& packet) const noexcept
{
    return sys::send_with_fds(master_end(), packet.bytes(), packet.fds());
}

void HandoffSocket::shut_down() const noexcept
{
    ::shutdown(master_end(), SHUT_WR);
}

} // namespace usher
