// SPDX-License-Identifier: MIT
#include "worker/preload/take.hpp"

#include "common/wire/handoff.hpp"
#include "worker/preload/connection_table.hpp"
#include "worker/preload/inheritance.hpp"
#include "worker/preload/next.hpp"
#include "worker/preload/quiet.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <span>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/uio.h>
#include <unistd.h>

extern "C" {
#include "worker/c/headroom.h"
}

namespace usher::preload {

namespace {

/// A packet of one record, with room for what a later version may append to it.
using Buffer = std::array<std::byte, wire::handoff_header_size + 4 * wire::handoff_record_size>;

/// The descriptor that rode on the packet; -1 if there was none.
int descriptor_of(msghdr& header) noexcept
{
    int fd = -1;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int one = -1;
            std::memcpy(&one, CMSG_DATA(c) + i * sizeof one, sizeof one);
            if (fd < 0)
                fd = one;
            else
                ::close(one); // the room for one is room for two, by its padding
        }
    }
    return fd;
}

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

wire::HandoffRecord record_of(const Buffer& buffer) noexcept
{
    return wire::decode_record(
        std::span{buffer}.subspan<wire::handoff_header_size, wire::handoff_record_size>());
}

Address peer_of(int fd, const wire::HandoffRecord& record) noexcept
{
    const auto address = from_wire(record.peer);
    return address.size > 0 ? address : ask(next::getpeername, fd);
}

/// Remembers what the kernel will not say, or not as the program expects it.
void note_facts(int fd, const wire::HandoffRecord& record, int family) noexcept
{
    const bool proxied = record.local.family != wire::AddressFamily::unknown;
    const bool too_long = family == AF_INET && record.peer.family == wire::AddressFamily::ipv6;
    if (!proxied && !too_long) {
        set_facts(fd, nullptr);
        return;
    }
    ConnectionFacts facts;
    if (proxied) {
        facts.peer = record.peer;
        facts.local = record.local;
    }
    facts.family = family;
    set_facts(fd, &facts);
}

ssize_t receive(int fd, Buffer& buffer, int flags, int& connection) noexcept
{
    iovec iov{.iov_base = buffer.data(), .iov_len = buffer.size()};
    alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(int))];
    msghdr header{};
    header.msg_iov = &iov;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    // Blocks or not as the program has set it on the descriptor, which is a property of the socket.
    const auto size = ::recvmsg(fd, &header, (flags & SOCK_CLOEXEC) != 0 ? MSG_CMSG_CLOEXEC : 0);
    connection = size < 0 ? -1 : descriptor_of(header);
    return size;
}

} // namespace

int take_connection(const Listening& entry, int fd, sockaddr* address, socklen_t* size,
                    int flags) noexcept
{
    Buffer buffer;
    int connection = -1;
    for (;;) {
        // A program with a full table must fall silent as well when its master is gone.
        if (!has_room(fd) && !(is_at_end(fd) && on_master_gone(entry))) {
            errno = EMFILE;
            return -1;
        }
        const auto received = receive(fd, buffer, flags, connection);
        if (received < 0) {
            if (errno == ENOTCONN || errno == EINVAL || errno == EOPNOTSUPP)
                errno = ENOTSOCK; // the number is a socket of another kind now
            return -1;
        }
        if (received == 0) {
            if (on_master_gone(entry))
                continue;
            errno = EINVAL; // as of a listening socket that was shut down
            return -1;
        }
        const auto header = wire::decode_header(
            std::span{buffer}.first(std::min(static_cast<std::size_t>(received), buffer.size())));
        if (connection >= 0 && header && header->count == 1)
            break;
        if (connection >= 0)
            ::close(connection);
        else if (header) { // it did not fit after all
            inheritance().page->accepted.fetch_add(1, std::memory_order_relaxed);
            errno = EMFILE;
            return -1;
        }
    }

    inheritance().page->accepted.fetch_add(1, std::memory_order_relaxed);
    if (connection >= reserve.load(std::memory_order_relaxed))
        reserve.store(0, std::memory_order_relaxed);
    if ((flags & SOCK_NONBLOCK) == 0)
        ::fcntl(connection, F_SETFL, 0); // the master's is non-blocking
    const auto record = record_of(buffer);
    note_facts(connection, record, entry.family);
    if (address != nullptr && size != nullptr)
        write_address(in_family(peer_of(connection, record), entry.family), address, size);
    return connection;
}

} // namespace usher::preload
