// SPDX-License-Identifier: MIT
#pragma once

/// For the C++ library, whose programs wait with an event loop of their own.

#include "usher.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Takes the source of connections out of usher_fd() and returns its descriptor, which stays the
/// worker's: the hand-off socket, or a socket that listens.
int uw_take_source(struct usher_worker* worker);

/// True if uw_next() has a connection without asking the kernel.
bool uw_has_buffered(const struct usher_worker* worker);

/// As usher_accept(), but looks at the source alone.  EAGAIN: wait until it is readable; EMFILE:
/// this process is near its RLIMIT_NOFILE, and the connection stays queued.
int uw_next(struct usher_worker* worker, struct usher_connection* connection);

/// Closes all descriptors; the counters live on until usher_close().
void uw_shut(struct usher_worker* worker);

#ifdef __cplusplus
}
#endif
