// SPDX-License-Identifier: MIT
#include "bus_input.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int uw_find_line(struct uw_input* input, struct uw_text* line)
{
    for (;;) {
        const char* const feed =
            memchr(input->bytes + input->searched, '\n', input->end - input->searched);
        if (feed == NULL) {
            input->searched = input->end;
            return 0;
        }
        input->searched = (size_t)(feed - input->bytes);
        if (!input->is_skipping) {
            *line = (struct uw_text){input->bytes + input->begin, input->searched - input->begin};
            return 1;
        }
        input->is_skipping = false;
        uw_take_line(input);
    }
}

void uw_take_line(struct uw_input* input)
{
    input->begin = ++input->searched;
}

/// Room for one read at the end.
static bool make_room(struct uw_input* input)
{
    memmove(input->bytes, input->bytes + input->begin, input->end - input->begin);
    input->end -= input->begin;
    input->searched -= input->begin;
    input->begin = 0;
    if (input->end + uw_longest_read <= uw_input_room)
        return false;
    const bool is_cut = !input->is_skipping;
    input->is_skipping = true;
    input->searched = input->end = 0;
    return is_cut;
}

ptrdiff_t uw_read(struct uw_input* input, int socket, bool* is_cut)
{
    *is_cut = make_room(input);
    ssize_t size = -1;
    do
        size = recv(socket, input->bytes + input->end, uw_longest_read, MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size > 0)
        input->end += (size_t)size;
    return size;
}
