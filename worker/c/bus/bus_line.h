// SPDX-License-Identifier: MIT
#pragma once

#include "usher_bus.h"
#include "worker/c/json.h"

/// What a line of the master says, beyond what becomes an event as it is.
enum uw_line_kind {
    uw_line_snapshot = 100, ///< a copy of the store begins
    uw_line_welcome,        ///< the answer to `hello`
};

/// A line of the master, taken apart.  The texts are in the line still.
struct uw_line {
    int kind; ///< usher_bus_kind or uw_line_kind
    int flag;
    uint64_t id;
    uint64_t count;
    uint64_t revision;
    uint64_t timeout_ms;
    struct uw_text topic; ///< these with quotes; of size 0 where there is none
    struct uw_text from;
    struct uw_text key;
    struct uw_text code;
    struct uw_text reason;
    struct uw_text data;
};

/// Reads a line, without its line feed.  1: it is known; 0: it is an object of another type, which
/// means nothing; -1: it is nothing that a master says.
///
/// Names with escapes in them are not recognised: the master writes none.
int uw_read_line(struct uw_text text, struct uw_line* line);
