// SPDX-License-Identifier: MIT
#include "handoff.h"

#include "fill.h"
#include "headroom.h"
#include "record.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

int uw_receive(int socket, struct uw_batch* batch)
{
    // Not by receiving with MSG_PEEK, which copies the descriptors: the master may take the packet
    // back before it is consumed, and then two workers hold the same connection.
    unsigned char start[uw_header_size];
    struct uw_header header;
    if (batch->fd_mark == 0 &&
        recv(socket, start, sizeof start, MSG_PEEK | MSG_DONTWAIT) == (ssize_t)sizeof start &&
        uw_decode_header(start, &header) && !uw_find_fd_reserve(&batch->fd_mark) &&
        !uw_has_fd_headroom(socket, header.count))
        return refuse(batch, EMFILE);

    // Room for the largest message, so only RLIMIT_NOFILE can make the kernel drop one.
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(uw_max_fds * sizeof(int))];
    struct iovec iov = {.iov_base = batch->packet, .iov_len = sizeof batch->packet};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t size = -1;
    do
        size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return -1;

    batch->next = batch->count = 0;
    adopt(&message, batch);
    if (size == 0 && batch->count == 0)
        return 0;
    if ((size_t)size < uw_header_size || (message.msg_flags & MSG_TRUNC) != 0 ||
        !uw_decode_header(batch->packet, &header) ||
        (size_t)size != uw_header_size + (size_t)header.count * header.record_size)
        return refuse(batch, EBADMSG);

    // Another thread may have opened descriptors meanwhile; the kernel keeps the first that fit.
    const int cut = (message.msg_flags & MSG_CTRUNC) != 0;
    if (cut && batch->count == 0)
        return refuse(batch, EMFILE);
    if (cut ? batch->count > header.count : batch->count != header.count)
        return refuse(batch, EBADMSG);
    batch->record_size = header.record_size;
    return 1;
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
