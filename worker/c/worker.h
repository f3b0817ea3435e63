// SPDX-License-Identifier: MIT
#pragma once

#include "handoff.h"
#include "inheritance.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/// What the public functions work on.
struct usher_worker {
    bool has_master;
    bool is_ended;               ///< no more connections will come
    bool is_paused;              ///< no room for descriptors: the source waits for the timer
    bool is_readable;            ///< the source has something
    int epoll;                   ///< watches the others; what the program waits on
    int timer;                   ///< the heartbeat, and the end of a pause
    int source;                  ///< the hand-off socket or the listener
    struct uw_inheritance given; ///< without a master: a page of its own, and no control socket
    struct uw_page own_page;
    uint64_t last_id; ///< of a connection, without a master
    atomic_bool is_draining;
    uint64_t drain_deadline;
    struct uw_batch batch;
    char message[64 * 1024]; ///< of the master
};
