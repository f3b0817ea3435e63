// SPDX-License-Identifier: MIT
#pragma once

#include "worker/c/json.h"

enum { uw_longest_read = 64 * 1024, uw_input_room = 192 * 1024 };

/// What was read and not looked at yet.  Lines may be as long as fit, which is more than the
/// master's are.
struct uw_input {
    size_t begin;
    size_t searched; ///< up to where there is no line feed
    size_t end;
    bool is_skipping; ///< the rest of a line that was too long is to come
    char bytes[uw_input_room];
};

/// Finds the first whole line, without its line feed.  1: `line` is it, until
/// uw_take_line(); 0: there is none, read on.
int uw_find_line(struct uw_input* input, struct uw_text* line);

/// The line that was found is done.
void uw_take_line(struct uw_input* input);

/// Reads once.  The number of bytes; 0: the end; -1 and errno.  What no line can be is dropped, and
/// `is_cut` set.
ptrdiff_t uw_read(struct uw_input* input, int socket, bool* is_cut);
