// SPDX-License-Identifier: MIT
#pragma once

#include "bus_input.h"
#include "bus_output.h"
#include "store_copy.h"
#include "usher_bus.h"

enum { uw_longest_name = 255 }; ///< topics and keys

/// In the ids of `resign`, of whose answers the program hears nothing.
static const uint64_t uw_resigning = UINT64_C(1) << 63;

/// What the public functions work on.
struct usher_bus {
    int socket;
    int epoll;             ///< watches the socket; what the program waits on
    bool is_watching_room; ///< for lines that wait
    bool is_in_turn;       ///< the program will ask for the next event, which writes what waits
    bool is_drained;       ///< the last read has taken all there was
    bool is_welcome;       ///< what comes is meant for this process
    bool is_ended;         ///< nothing more will come
    bool is_end_told;
    bool is_synced_due; ///< once all that differs is told
    bool is_store_asked;
    bool is_leader;
    uint64_t resigned;       ///< how often
    uint64_t heard_resigned; ///< up to which of these it is answered
    uint64_t lost;           ///< lines, to be told
    uint64_t last_id;
    struct uw_copy copy;
    struct uw_output output;
    struct uw_input input;
    char key[6 * uw_longest_name + 3]; ///< of the line that is looked at; escapes are longer
};

/// Begins a line, which has `topic`, `key` and the like added to `output` next.
struct uw_output* uw_begin(struct usher_bus* bus, const char* type);

/// Ends it: with an id if `id` is not NULL.
int uw_say(struct usher_bus* bus, uint64_t* id);
