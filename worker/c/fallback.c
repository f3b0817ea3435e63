// SPDX-License-Identifier: MIT
#include "fallback.h"

#include "clock.h"
#include "failure.h"
#include "fill.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool parse_unix(const char* path, struct uw_address* address)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    if (path[0] == '\0' || strlen(path) >= sizeof local.sun_path)
        return false;
    memcpy(local.sun_path, path, strlen(path) + 1);
    memcpy(&address->storage, &local, sizeof local);
    address->size = sizeof local;
    return true;
}

static bool parse_port(const char* text, in_port_t* port)
{
    char* end = NULL;
    const unsigned long value = strtoul(text, &end, 10);
    *port = htons((uint16_t)value);
    return isdigit((unsigned char)text[0]) && *end == '\0' && value <= UINT16_MAX;
}

/// Reads HOST:PORT, [HOST]:PORT or PORT, numbers only.
static bool parse_inet(const char* text, struct uw_address* address)
{
    const char* const colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN] = "0.0.0.0";
    if (colon != NULL) {
        const bool brackets = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
        const size_t size = (size_t)(colon - text) - (brackets ? 2 : 0);
        if (size >= sizeof host)
            return false;
        memcpy(host, text + (brackets ? 1 : 0), size);
        host[size] = '\0';
    }

    in_port_t port = 0;
    if (!parse_port(colon == NULL ? text : colon + 1, &port))
        return false;

    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = port};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = port};
    if (inet_pton(AF_INET, host, &ipv4.sin_addr) == 1) {
        memcpy(&address->storage, &ipv4, sizeof ipv4);
        address->size = sizeof ipv4;
    } else if (inet_pton(AF_INET6, host, &ipv6.sin6_addr) == 1) {
        memcpy(&address->storage, &ipv6, sizeof ipv6);
        address->size = sizeof ipv6;
    } else {
        return false;
    }
    return true;
}

bool uw_parse_address(const char* text, struct uw_address* address)
{
    *address = (struct uw_address){0};
    return strncasecmp(text, "unix:", 5) == 0 ? parse_unix(text + 5, address)
                                              : parse_inet(text, address);
}

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
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
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
