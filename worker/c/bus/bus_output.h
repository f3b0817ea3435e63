// SPDX-License-Identifier: MIT
#pragma once

#include "worker/c/json.h"

enum {
    uw_longest_line = 69632,       ///< with its line feed
    uw_longest_data = 65536,       ///< as JSON
    uw_most_waiting = 1024 * 1024, ///< bytes
};

/// Lines that wait to be written.  A line is begun, has members added, and is ended; what cannot
/// be said is told then, and takes the whole line back.
struct uw_output {
    char* bytes;
    size_t room;
    size_t begin; ///< of what waits
    size_t end;
    size_t line; ///< where the line that is made begins
    int error;   ///< of that line: an errno, or 0
};

void uw_begin_line(struct uw_output* output, const char* type);

/// Adds an empty line, which ends what somebody else may have left unfinished.
void uw_add_empty_line(struct uw_output* output);

/// Adds a text in quotes; NULL: nothing.
void uw_add_text(struct uw_output* output, const char* name, const char* text);
void uw_add_number(struct uw_output* output, const char* name, uint64_t number);
void uw_add_signed(struct uw_output* output, const char* name, int64_t number);

/// Adds what must be a value of JSON.
void uw_add_json(struct uw_output* output, const char* name, const char* data);

/// 0: the line waits; -1 and errno: it does not.
int uw_end_line(struct uw_output* output);

/// Writes to the socket what it takes now.  0: all; -1 and errno.
int uw_write_lines(struct uw_output* output, int socket);
