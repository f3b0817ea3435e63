// SPDX-License-Identifier: MIT
#pragma once

#include "worker.h"

/// Starts watching the worker's descriptors.  -1 and errno if that fails.
int uw_start_loop(struct usher_worker* worker);

/// Does what can be done without waiting: stamps the heartbeat, reads messages, and notes whether
/// the source is readable.
void uw_turn_loop(struct usher_worker* worker);

/// There is no room for descriptors: looks at the source again in a little while.
void uw_pause(struct usher_worker* worker);

/// No more connections will come: from now on nothing makes the loop's descriptor readable.
void uw_end(struct usher_worker* worker);
