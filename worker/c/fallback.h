// SPDX-License-Identifier: MIT
#pragma once

#include "usher.h"

/// Listens where `options` say, for a program without a master.  Returns the descriptor,
/// non-blocking and close-on-exec, or -1: see uw_fail().
int uw_listen(const struct usher_options* options);

/// Accepts a connection of `listener`, which is to have this id; `connection` may be NULL.  -1 and
/// EMFILE: it must wait for free descriptors or memory.
int uw_accept(int listener, uint64_t id, struct usher_connection* connection);
