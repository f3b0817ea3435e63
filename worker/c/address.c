// SPDX-License-Identifier: MIT
#include "address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

static bool parse_unix(const char* path, struct uw_address* address)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    const size_t size = strlen(path);
    if (size == 0 || size >= sizeof local.sun_path)
        return false;
    memcpy(local.sun_path, path, size);
    memcpy(&address->storage, &local, sizeof local);
    address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
    return true;
}

static bool parse_port(const char* text, in_port_t* port)
{
    char* end = NULL;
    const unsigned long value = strtoul(text, &end, 10);
    *port = htons((uint16_t)value);
    return isdigit((unsigned char)text[0]) && *end == '\0' && value <= UINT16_MAX;
}

/// The number of an interface, which is given by its number or its name; 0 if there is none.
static uint32_t scope_of(const char* interface)
{
    return isdigit((unsigned char)interface[0]) ? (uint32_t)strtoul(interface, NULL, 10)
                                                : if_nametoindex(interface);
}

static bool parse_inet(const char* text, struct uw_address* address)
{
    const char* const colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE] = "0.0.0.0";
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
    if (inet_pton(AF_INET, host, &ipv4.sin_addr) == 1) {
        memcpy(&address->storage, &ipv4, sizeof ipv4);
        address->size = sizeof ipv4;
        return true;
    }
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = port};
    char* const interface = strchr(host, '%');
    if (interface != NULL) {
        *interface = '\0';
        ipv6.sin6_scope_id = scope_of(interface + 1);
    }
    if (inet_pton(AF_INET6, host, &ipv6.sin6_addr) != 1)
        return false;
    memcpy(&address->storage, &ipv6, sizeof ipv6);
    address->size = sizeof ipv6;
    return true;
}

bool uw_parse_address(const char* text, struct uw_address* address)
{
    *address = (struct uw_address){0};
    return strncasecmp(text, "unix:", 5) == 0 ? parse_unix(text + 5, address)
                                              : parse_inet(text, address);
}
