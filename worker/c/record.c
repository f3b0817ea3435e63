// SPDX-License-Identifier: MIT
#include "record.h"

#include "handoff.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

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

/// Returns the address's size; 0 for a family that is unknown here.
static socklen_t decode_address(const unsigned char* in, struct sockaddr_storage* out)
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
    connection->peer_size = decode_address(in + 24, &connection->peer);
    connection->local_size = decode_address(in + 52, &connection->local);
}
