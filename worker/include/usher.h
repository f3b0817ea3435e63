// SPDX-License-Identifier: MIT
#pragma once

/// The worker library of usher in C: takes the connections that usher hands to this process;
/// without usher, those of a listener of its own.
///
///     struct usher_worker* worker = usher_open(NULL);
///     if (worker == NULL)
///         errx(1, "%s", usher_error());
///     usher_ready(worker);
///     while (!usher_drained(worker)) {
///         struct pollfd entry = {.fd = usher_fd(worker), .events = POLLIN};
///         poll(&entry, 1, -1);
///         int fd;
///         while ((fd = usher_accept(worker, NULL)) >= 0) {
///             serve(fd); // closes it
///             usher_done(worker);
///         }
///     }
///     usher_close(worker);
///
/// **The loop.**  usher_fd() becomes readable when there is something to do: connections, a message
/// of the master, or, once a second, the heartbeat.  Then call usher_accept() until it says EAGAIN;
/// that does all three.  A program whose loop does not come round for the master's `stall_timeout`
/// counts as hung, so blocking work belongs in threads.
///
/// **Threads.**  A worker is for one thread at a time.  usher_done(), usher_set_load(),
/// usher_draining() and usher_open_connections() may be called from any thread at any time between
/// usher_open() and usher_close().
///
/// **Errors.**  Functions that can fail return -1 (usher_open(): NULL) and set errno.
///
/// **Compatibility.**  Structures begin with their size, which the caller sets (USHER_..._INIT do
/// it). Later versions only add fields at the end: a program built against an older header runs
/// with a newer library, and the other way round.
///
/// Under usher a process has one worker.  The first usher_open() takes over what the master gave;
/// it makes those descriptors close-on-exec and removes the variables, so that programs started
/// from here are not taken for workers.  It makes the process ignore SIGPIPE, unless the program
/// has a handler: standard output is read by the master, which may die first.

#include "usher_bus.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

struct usher_worker;

struct usher_options {
    size_t size; ///< of this structure

    /// Where to listen without a master: "8000", "127.0.0.1:8000", "[::1]:8000" or "unix:/path".
    /// NULL: 127.0.0.1:8000.
    const char* fallback;
    int backlog;    ///< without a master; 0: 4096
    int reuse_port; ///< without a master: several processes share the port, the kernel deals

    /// Most connections the master sends at a time, 1 to 64; 0: 64.  What has been sent is lost if
    /// this process dies, so a program that serves one after the other says 1.
    unsigned max_batch;
};

#define USHER_OPTIONS_INIT                                                                         \
    {                                                                                              \
        .size = sizeof(struct usher_options)                                                       \
    }

/// Who this worker is under its master.
struct usher_identity {
    size_t size;         ///< of this structure
    const char* pool;    ///< lives as long as the worker
    unsigned slot;       ///< from 1; its place in the pool, kept by its successor
    unsigned generation; ///< from 1; grows with each reload
    uint64_t id;         ///< never used twice while the master lives
};

#define USHER_IDENTITY_INIT                                                                        \
    {                                                                                              \
        .size = sizeof(struct usher_identity)                                                      \
    }

/// What is known of a connection.
struct usher_connection {
    size_t size;                   ///< of this structure
    uint64_t id;                   ///< never the same twice in one pool while the master lives
    uint64_t accepted_at;          ///< by the master; CLOCK_MONOTONIC, nanoseconds
    unsigned listener;             ///< index in the pool's list of listeners
    unsigned reclaims;             ///< how often it was taken back from a worker that died
    struct sockaddr_storage peer;  ///< the client; of a Unix client only the family
    socklen_t peer_size;           ///< 0: not known
    struct sockaddr_storage local; ///< set where a proxy in front has told it
    socklen_t local_size;          ///< 0: ask getsockname(2)
};

#define USHER_CONNECTION_INIT                                                                      \
    {                                                                                              \
        .size = sizeof(struct usher_connection)                                                    \
    }

/// The version of the library, such as "0.1.0".
USHER_API const char* usher_version(void);

/// Takes over what the master gave and says hello; without a master, listens.  `options` may be
/// NULL.  On failure usher_error() has the reason.
USHER_API struct usher_worker* usher_open(const struct usher_options* options);

/// Why the last usher_open() or usher_bus_open() of this thread failed, in one sentence without a
/// full stop.
USHER_API const char* usher_error(void);

/// Closes everything, including connections that usher_accept() has not returned.  NULL does
/// nothing.
USHER_API void usher_close(struct usher_worker* worker);

/// Tells the master that connections may come.  Call it once, when everything is set up.
USHER_API int usher_ready(struct usher_worker* worker);

/// The descriptor to wait on with poll(2), epoll(7) and the like, for reading.  It is the worker's,
/// and the same until usher_close().
USHER_API int usher_fd(const struct usher_worker* worker);

/// Returns the next connection's descriptor, yours to close: a connected stream socket,
/// non-blocking and close-on-exec.  Allocates nothing.  `connection` may be NULL, and is unchanged
/// on failure.
///
/// Remove it from an epoll(7) before you close it: the master may have its copy for a moment
/// longer, and until then close() does not do that, nor does it end the connection (shutdown(2)
/// does).
///
/// EAGAIN: none now; wait for usher_fd().  Also near RLIMIT_NOFILE: connections then stay queued
/// until there is room.  ESHUTDOWN: no more will come, because this worker drains or its
/// master is gone; finish what is open.  EBADMSG: the master sent what is no packet.
USHER_API int usher_accept(struct usher_worker* worker, struct usher_connection* connection);

/// Stamps the heartbeat and reads the master's messages, as usher_accept() does too.  A program
/// that wants no connections for a while calls this at least once a second.
USHER_API int usher_poll(struct usher_worker* worker);

/// Counts one connection as done; call it once for each, when its descriptor is closed.  EINVAL:
/// more are done than usher_accept() has returned.  Any thread.
USHER_API int usher_done(struct usher_worker* worker);

/// True once the master has said that no more connections will come: answer with
/// `Connection: close`.  Any thread.
USHER_API int usher_draining(const struct usher_worker* worker);

/// When the master will send SIGTERM to a worker that drains: CLOCK_MONOTONIC, nanoseconds; 0 if it
/// has not said.
USHER_API uint64_t usher_drain_deadline(const struct usher_worker* worker);

/// True when no more connections will come and all there were are done: time to exit.
USHER_API int usher_drained(const struct usher_worker* worker);

/// Connections returned by usher_accept() and not yet done.  Any thread.
USHER_API uint64_t usher_open_connections(const struct usher_worker* worker);

/// Publishes the program's own measure of its load.  Any thread.
USHER_API void usher_set_load(struct usher_worker* worker, uint64_t load);

/// ENOENT: there is no master.
USHER_API int usher_get_identity(const struct usher_worker* worker,
                                 struct usher_identity* identity);

/// Tells the master, for its log, why this program is about to exit by itself.  Other characters
/// than printable ASCII become '?', and everything after 200 characters is cut off.
USHER_API int usher_bye(struct usher_worker* worker, const char* reason);

#ifdef __cplusplus
}
#endif
