// SPDX-License-Identifier: MIT
#include "fallback.h"

#include "address.h"
#include "clock.h"
#include "failure.h"
#include "fill.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool enable(int fd, int option)
{
    const int on = 1;
    return setsockopt(fd, SOL_SOCKET, option, &on, sizeof on) == 0;
}

int uw_listen(const struct usher_options* options)
{
    const char* const text = options->fallback;
    struct uw_address address;
    if (!uw_parse_address(text, &address))
        return uw_fail(EINVAL,
                       "\"%s\" is no address to listen on: write 8000, 127.0.0.1:8000, "
                       "[::1]:8000 or unix:/path",
                       text);

    const int family = address.storage.ss_family;
    const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && enable(fd, SO_REUSEADDR) && (!options->reuse_port || enable(fd, SO_REUSEPORT)) &&
        bind(fd, (const struct sockaddr*)&address.storage, address.size) == 0 &&
        listen(fd, options->backlog) == 0)
        return fd;

    const int error = errno;
    if (fd >= 0)
        close(fd);
    return uw_fail(error, "%s: %s", text, strerror(error));
}

/// True for an error of one connection, which died before it was accepted (accept(2)).
static bool is_noise(int error)
{
    static const int noise[] = {EINTR,     ECONNABORTED, EPROTO,       ENETDOWN,   ENOPROTOOPT,
                                EHOSTDOWN, ENONET,       EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH};
    for (size_t i = 0; i < sizeof noise / sizeof noise[0]; ++i)
        if (error == noise[i])
            return true;
    return false;
}

int uw_accept(int listener, uint64_t id, struct usher_connection* connection)
{
    struct usher_connection known = USHER_CONNECTION_INIT;
    int fd = -1;
    do {
        known.peer_size = sizeof known.peer;
        fd = accept4(listener, (struct sockaddr*)&known.peer, &known.peer_size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && is_noise(errno));

    if (fd < 0) {
        if (errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            errno = EMFILE;
        return -1;
    }
    if (connection != NULL) {
        known.id = id;
        known.accepted_at = uw_monotonic_nanoseconds();
        uw_fill(connection, connection->size, &known, sizeof known);
    }
    return fd;
}
