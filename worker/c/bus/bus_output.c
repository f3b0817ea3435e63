// SPDX-License-Identifier: MIT
#include "bus_output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { least_room = 4096 };

/// Sees to it that `size` more bytes fit.
static bool make_room(struct uw_output* output, size_t size)
{
    if (output->error != 0)
        return false;
    if (output->end + size <= output->room)
        return true;
    // What is written leaves room at the beginning.  Moving it up only when that is the larger
    // half, a byte is moved once on the whole.
    if (output->begin > output->room / 2) {
        memmove(output->bytes, output->bytes + output->begin, output->end - output->begin);
        output->end -= output->begin;
        output->line -= output->begin;
        output->begin = 0;
    }
    size_t room = output->room > 0 ? output->room : least_room;
    while (room < output->end + size)
        room *= 2;
    if (room > output->room) {
        char* const larger = realloc(output->bytes, room);
        if (larger == NULL) {
            output->error = ENOMEM;
            return false;
        }
        output->bytes = larger;
        output->room = room;
    }
    return true;
}

static void add(struct uw_output* output, const char* bytes, size_t size)
{
    if (!make_room(output, size))
        return;
    memcpy(output->bytes + output->end, bytes, size);
    output->end += size;
}

static void add_word(struct uw_output* output, const char* word)
{
    add(output, word, strlen(word));
}

static void add_name(struct uw_output* output, const char* name)
{
    add_word(output, ",\"");
    add_word(output, name);
    add_word(output, "\":");
}

void uw_begin_line(struct uw_output* output, const char* type)
{
    output->line = output->end;
    output->error = 0;
    add_word(output, "{\"type\":\"");
    add_word(output, type);
    add_word(output, "\"");
}

void uw_add_empty_line(struct uw_output* output)
{
    output->error = 0;
    add_word(output, "\n");
}

static void add_quoted(struct uw_output* output, const char* text)
{
    add_word(output, "\"");
    for (const char* rest = text; *rest != '\0' && output->error == 0; ++rest) {
        char escaped[8];
        const unsigned char c = (unsigned char)*rest;
        if (c < ' ')
            snprintf(escaped, sizeof escaped, "\\u%04x", c);
        else
            snprintf(escaped, sizeof escaped, c == '"' || c == '\\' ? "\\%c" : "%c", c);
        add_word(output, escaped);
    }
    add_word(output, "\"");
}

void uw_add_text(struct uw_output* output, const char* name, const char* text)
{
    if (text == NULL)
        return;
    const size_t size = strlen(text);
    if (size > uw_longest_line)
        output->error = EMSGSIZE;
    else if (!uw_is_utf8((struct uw_text){text, size}))
        output->error = EINVAL;
    add_name(output, name);
    add_quoted(output, text);
}

void uw_add_number(struct uw_output* output, const char* name, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    add_name(output, name);
    add_word(output, text);
}

void uw_add_signed(struct uw_output* output, const char* name, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    add_name(output, name);
    add_word(output, text);
}

void uw_add_json(struct uw_output* output, const char* name, const char* data)
{
    const struct uw_text text = {data, strlen(data)};
    if (text.size > uw_longest_data)
        output->error = EMSGSIZE;
    else if (!uw_json_is_value(text))
        output->error = EINVAL;
    add_name(output, name);
    add(output, text.at, text.size);
    if (output->error != 0)
        return;
    // Line feeds are blanks there, since they may not be in strings as they are.
    char* const end = output->bytes + output->end;
    for (char* rest = end - text.size; (rest = memchr(rest, '\n', (size_t)(end - rest))) != NULL;)
        *rest = ' ';
}

int uw_end_line(struct uw_output* output)
{
    add_word(output, "}\n");
    if (output->error == 0 && output->end - output->line > uw_longest_line)
        output->error = EMSGSIZE;
    if (output->error == 0 && output->end - output->begin > uw_most_waiting)
        output->error = ENOBUFS;
    if (output->error == 0)
        return 0;
    output->end = output->line;
    errno = output->error;
    return -1;
}

int uw_write_lines(struct uw_output* output, int socket)
{
    while (output->begin < output->end) {
        const ssize_t sent = send(socket, output->bytes + output->begin,
                                  output->end - output->begin, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == ENOBUFS || errno == ENOMEM)) // the kernel has no memory for now
            errno = EAGAIN;
        if (sent < 0)
            return -1;
        output->begin += (size_t)sent;
    }
    output->begin = output->end = 0;
    return 0;
}
