// SPDX-License-Identifier: MIT
#pragma once

#include "usher.h"

#include <stddef.h>

enum {
    uw_header_size = 8,
    uw_record_size = 80,
    uw_max_records = 64,
    uw_max_fds = 253, ///< the kernel's SCM_MAX_FD
};

/// One hand-off packet and its descriptors, taken one after the other.
struct uw_batch {
    unsigned char packet[uw_header_size + uw_max_records * uw_record_size];
    int fds[uw_max_fds];
    size_t record_size;
    size_t count;
    size_t next;
    int fd_mark; ///< see uw_find_fd_reserve()
};

/// Reads the next packet into `batch`, which is empty.  1: done; 0: end of file; -1 and errno:
/// EMFILE if this process has no room for its descriptors (the packet stays queued), EBADMSG if it
/// is none.
int uw_receive(int socket, struct uw_batch* batch);

/// The next descriptor, whose owner is the caller; `connection` may be NULL.  Not for an empty
/// batch.
int uw_take(struct uw_batch* batch, struct usher_connection* connection);

/// Closes what was not taken.
void uw_drop(struct uw_batch* batch);
