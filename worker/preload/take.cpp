// SPDX-License-Identifier: MIT
#include "worker/preload/take.hpp"

#include "worker/preload/connection_table.hpp"
#include "worker/preload/inheritance.hpp"
#include "worker/preload/inherited_options.hpp"
#include "worker/preload/next.hpp"
#include "worker/preload/quiet.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

extern "C" {
#include "worker/c/handoff.h"
}

namespace usher::preload {

namespace {

/// The first of the last descriptor numbers while they are known to be free; else 0.
constinit std::atomic<int> reserve{0};

/// True unless the descriptor table is full: what does not fit the kernel closes, while a
/// connection that is not read waits, and the master gives others the next ones.
bool has_room(int fd) noexcept
{
    int mark = reserve.load(std::memory_order_relaxed);
    if (mark > 0)
        return true;
    const bool fits = uw_find_fd_reserve(&mark);
    reserve.store(mark, std::memory_order_relaxed);
    return fits || uw_has_fd_headroom(fd, 1);
}

/// True if no connection will ever come.
bool is_at_end(int fd) noexcept
{
    std::byte first{};
    return ::recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/// The family in which the program expects to hear of `peer`: of an IPv4 client also where its own
/// socket is one of IPv6 for no such clients.  It stands beside one for IPv4 on the same port, and
/// is the same socket here.
int family_for(const Listening& entry, const Address& peer) noexcept
{
    const bool is_ipv4 = peer.family() == AF_INET ||
                         (peer.family() == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&peer.ipv6.sin6_addr));
    return entry.v6only && is_ipv4 ? AF_INET : entry.family;
}

/// Remembers what the kernel will not say, or not as the program expects it; returns the peer's
/// address if the record has it.
Address note_facts(int fd, const uw_batch& batch, const Listening& entry) noexcept
{
    ConnectionFacts facts;
    const auto* const record = batch.packet + uw_header_size;
    std::memcpy(facts.peer.data(), record + 24, facts.peer.size());
    std::memcpy(facts.local.data(), record + 52, facts.local.size());
    const auto peer = from_wire(facts.peer);
    const int family = facts.family = family_for(entry, peer);
    const bool is_proxied = from_wire(facts.local).size > 0;
    if (!is_proxied)
        facts.peer = {};
    const bool is_too_long = family == AF_INET && peer.family() == AF_INET6;
    set_facts(fd, is_proxied || is_too_long ? &facts : nullptr);
    return peer;
}

} // namespace

int take_connection(const Listening& entry, int fd, sockaddr* address, socklen_t* size,
                    int flags) noexcept
{
    uw_batch batch;
    int received = 0;
    do {
        // A program with a full table must fall silent as well when its master is gone.
        if (!has_room(fd) && !(is_at_end(fd) && on_master_gone(entry))) {
            errno = EMFILE;
            return -1;
        }
        batch.fd_mark = reserve.load(std::memory_order_relaxed);
        // Blocks or not as the program has set it on the descriptor, a property of the socket.
        received = uw_receive(fd, (flags & SOCK_CLOEXEC) != 0 ? MSG_CMSG_CLOEXEC : 0, &batch);
        if (received == 0 && !on_master_gone(entry)) {
            errno = EINVAL; // as of a listening socket that was shut down
            return -1;
        }
        if (received < 0 && errno == EMFILE) // it did not fit after all
            inheritance().page->accepted.fetch_add(1, std::memory_order_relaxed);
        if (received < 0 && errno != EBADMSG) {
            if (errno == ENOTCONN || errno == EINVAL || errno == EOPNOTSUPP)
                errno = ENOTSOCK; // the number is a socket of another kind now
            return -1;
        }
    } while (received != 1);

    inheritance().page->accepted.fetch_add(1, std::memory_order_relaxed);
    const int connection = uw_take(&batch, nullptr);
    uw_drop(&batch); // the master sends one at a time
    if (batch.fd_mark == 0)
        reserve.store(0, std::memory_order_relaxed);
    if ((flags & SOCK_NONBLOCK) == 0)
        ::fcntl(connection, F_SETFL, 0); // the master's is non-blocking
    inherit_options(entry.queue, connection);
    auto peer = note_facts(connection, batch, entry);
    if (address == nullptr || size == nullptr)
        return connection;
    if (peer.size == 0)
        peer = ask(next::getpeername, connection);
    write_address(in_family(peer, family_for(entry, peer)), address, size);
    return connection;
}

} // namespace usher::preload
