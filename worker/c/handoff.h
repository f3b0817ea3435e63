// SPDX-License-Identifier: MIT
#pragma once

#include "usher.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum {
    uw_header_size = 8,
    uw_record_size = 80,
    uw_max_records = 64,
    uw_max_fds = 253, ///< the kernel's SCM_MAX_FD
};

/// What the first bytes of a hand-off packet say; see docs/worker-protocol.md.
struct uw_header {
    size_t count;
    size_t record_size;
};

/// Reads the 8 bytes at `in`; false if they are no header this library knows.
bool uw_decode_header(const unsigned char* in, struct uw_header* header);

/// Reads the 28 bytes at `in` and returns the address's size; 0 for a family that is unknown here.
socklen_t uw_decode_address(const unsigned char* in, struct sockaddr_storage* out);

/// Reads the 80 bytes at `in`.
void uw_decode_record(const unsigned char* in, struct usher_connection* connection);

/// One hand-off packet and its descriptors, taken one after the other.
struct uw_batch {
    unsigned char packet[uw_header_size + uw_max_records * uw_record_size];
    int fds[uw_max_fds];
    size_t record_size;
    size_t count;
    size_t next;
    size_t lost; ///< records for whose descriptors there was no room
    int fd_mark; ///< see uw_find_fd_reserve()
};

/// Reads the next packet into `batch`, which is empty, with recvmsg(2) and its `flags`.  1: done;
/// 0: end of file; -1 and errno: EMFILE if this process had no room for its descriptors, which are
/// lost, EBADMSG if it is none.
int uw_receive(int socket, int flags, struct uw_batch* batch);

/// The same without waiting, and without losing any: after EMFILE the packet is still queued.
int uw_receive_safely(int socket, struct uw_batch* batch);

/// The next descriptor, whose owner is the caller; `connection` may be NULL.  Not for an empty
/// batch.
int uw_take(struct uw_batch* batch, struct usher_connection* connection);

/// Closes what was not taken.
void uw_drop(struct uw_batch* batch);

/// True if the descriptors of one packet fit.  No need to ask while `mark` is not 0.
///
/// The kernel gives the lowest free number.  So once the last numbers below RLIMIT_NOFILE were seen
/// to be free, they stay free until somebody gets one of them.  They are enough for a packet, and
/// for a program that opens three more for each connection of the one before.  `mark` is the first
/// of them, if they are free; the caller makes it 0 when it has received one that is not below it.
bool uw_find_fd_reserve(int* mark);

/// True if this process can open `count` more descriptors now.
///
/// Asks the kernel by opening and closing that many, because a packet whose descriptors do not all
/// fit arrives with the rest closed (unix(7), MSG_CTRUNC).  `fd` is any open descriptor.  `count`
/// is at most 64.
bool uw_has_fd_headroom(int fd, size_t count);
