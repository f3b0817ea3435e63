// SPDX-License-Identifier: MIT
#include "handoff.h"

#include "fill.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/// A little-endian number of `size` bytes.
static uint64_t number(const unsigned char* in, size_t size)
{
    uint64_t value = 0;
    while (size-- > 0)
        value = value << 8 | in[size];
    return value;
}

bool uw_decode_header(const unsigned char* in, struct uw_header* header)
{
    header->count = number(in + 2, 2);
    header->record_size = number(in + 4, 2);
    return number(in, 2) == 1 && header->count >= 1 && header->count <= uw_max_records &&
           header->record_size >= uw_record_size;
}

socklen_t uw_decode_address(const unsigned char* in, struct sockaddr_storage* out)
{
    const in_port_t port = htons((uint16_t)number(in + 2, 2));
    memset(out, 0, sizeof *out);
    switch (number(in, 2)) {
    case 1:
        out->ss_family = AF_UNIX;
        return sizeof out->ss_family;
    case 4: {
        struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = port};
        memcpy(&ipv4.sin_addr, in + 8, sizeof ipv4.sin_addr);
        memcpy(out, &ipv4, sizeof ipv4);
        return sizeof ipv4;
    }
    case 6: {
        struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6,
                                    .sin6_port = port,
                                    .sin6_scope_id = (uint32_t)number(in + 4, 4)};
        memcpy(&ipv6.sin6_addr, in + 8, sizeof ipv6.sin6_addr);
        memcpy(out, &ipv6, sizeof ipv6);
        return sizeof ipv6;
    }
    default:
        return 0;
    }
}

void uw_decode_record(const unsigned char* in, struct usher_connection* connection)
{
    connection->id = number(in, 8);
    connection->accepted_at = number(in + 8, 8);
    connection->listener = (unsigned)number(in + 16, 2);
    connection->reclaims = (unsigned)number(in + 18, 2) & 3U;
    connection->peer_size = uw_decode_address(in + 24, &connection->peer);
    connection->local_size = uw_decode_address(in + 52, &connection->local);
}

/// Puts every descriptor of `header` into `batch`, before anybody looks at anything else: what is
/// not adopted could never be closed.
static void adopt(struct msghdr* header, struct uw_batch* batch)
{
    for (struct cmsghdr* c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(batch->fds + batch->count, CMSG_DATA(c), count * sizeof(int));
        batch->count += count;
    }
    for (size_t i = 0; i < batch->count; ++i)
        if (batch->fds[i] >= batch->fd_mark)
            batch->fd_mark = 0;
}

static int refuse(struct uw_batch* batch, int error)
{
    uw_drop(batch);
    errno = error;
    return -1;
}

int uw_receive(int socket, int flags, struct uw_batch* batch)
{
    // Room for the largest message, so only RLIMIT_NOFILE can make the kernel drop one.
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(uw_max_fds * sizeof(int))];
    struct iovec iov = {.iov_base = batch->packet, .iov_len = sizeof batch->packet};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    const ssize_t size = recvmsg(socket, &message, flags);
    if (size < 0)
        return -1;

    batch->next = batch->count = 0;
    adopt(&message, batch);
    if (size == 0 && batch->count == 0)
        return 0;
    struct uw_header header;
    if ((size_t)size < uw_header_size || (message.msg_flags & MSG_TRUNC) != 0 ||
        !uw_decode_header(batch->packet, &header) ||
        (size_t)size != uw_header_size + (size_t)header.count * header.record_size)
        return refuse(batch, EBADMSG);

    // Another thread may have opened descriptors meanwhile; the kernel keeps the first that fit.
    const int cut = (message.msg_flags & MSG_CTRUNC) != 0;
    if (cut ? batch->count > header.count : batch->count != header.count)
        return refuse(batch, EBADMSG);
    batch->lost = header.count - batch->count;
    if (batch->count == 0)
        return refuse(batch, EMFILE);
    batch->record_size = header.record_size;
    return 1;
}

bool uw_find_fd_reserve(int* mark)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return false;

    const int end = limit.rlim_cur < INT_MAX ? (int)limit.rlim_cur : INT_MAX;
    const int begin = end > 4 * uw_max_records ? end - 4 * uw_max_records : 0;
    // Not by opening as many: for a moment other threads would find the table full.
    int unused = 0;
    for (int fd = begin; fd < end; ++fd)
        unused += fcntl(fd, F_GETFD) < 0;
    if (unused >= 3 * uw_max_records)
        *mark = begin;
    return unused >= uw_max_records;
}

bool uw_has_fd_headroom(int fd, size_t count)
{
    int probes[uw_max_records];
    assert(count <= uw_max_records);

    size_t opened = 0;
    while (opened < count && (probes[opened] = fcntl(fd, F_DUPFD_CLOEXEC, 0)) >= 0)
        ++opened;
    for (size_t i = 0; i < opened; ++i)
        close(probes[i]);
    return opened == count;
}

int uw_receive_safely(int socket, struct uw_batch* batch)
{
    // Not by receiving with MSG_PEEK, which copies the descriptors: the master may take the packet
    // back before it is consumed, and then two workers hold the same connection.
    unsigned char start[uw_header_size];
    struct uw_header header;
    if (batch->fd_mark == 0 &&
        recv(socket, start, sizeof start, MSG_PEEK | MSG_DONTWAIT) == (ssize_t)sizeof start &&
        uw_decode_header(start, &header) && !uw_find_fd_reserve(&batch->fd_mark) &&
        !uw_has_fd_headroom(socket, header.count)) {
        errno = EMFILE;
        return -1;
    }
    int received = -1;
    do
        received = uw_receive(socket, MSG_CMSG_CLOEXEC | MSG_DONTWAIT, batch);
    while (received < 0 && errno == EINTR);
    return received;
}

int uw_take(struct uw_batch* batch, struct usher_connection* connection)
{
    if (connection != NULL) {
        struct usher_connection known = USHER_CONNECTION_INIT;
        uw_decode_record(batch->packet + uw_header_size + batch->next * batch->record_size, &known);
        uw_fill(connection, connection->size, &known, sizeof known);
    }
    return batch->fds[batch->next++];
}

void uw_drop(struct uw_batch* batch)
{
    while (batch->next < batch->count)
        close(batch->fds[batch->next++]);
    batch->next = batch->count = 0;
}
