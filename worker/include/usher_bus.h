// SPDX-License-Identifier: MIT
#pragma once

/// What the workers of a pool tell each other, and the small state that they share; in C.  Part of
/// usher.h, and apart from struct usher_worker: a program may have either without the other.
///
///     struct usher_bus* bus = usher_bus_open();
///     if (bus == NULL)
///         errx(1, "%s", usher_error());
///     usher_bus_subscribe(bus, "cache.*", NULL);
///     for (;;) {
///         struct pollfd entry = {.fd = usher_bus_fd(bus), .events = POLLIN};
///         poll(&entry, 1, -1);
///         struct usher_bus_event event = USHER_BUS_EVENT_INIT;
///         while (usher_bus_next(bus, &event) == 0)
///             if (event.kind == USHER_BUS_MESSAGE)
///                 printf("%s says %s of %s\n", event.from, event.data, event.topic);
///     }
///
/// **The loop.**  usher_bus_fd() becomes readable when there is something to do: lines of the
/// master, or room for lines that wait to be written.  Then call usher_bus_next() until it fails;
/// that does both.  What is said meanwhile goes out in one piece when it has failed, what is said
/// at another time when the loop comes round; usher_bus_flush() writes at once.
///
/// **Text** that goes in and out is terminated, in UTF-8.  Data and values are JSON; they come as
/// whoever sent them has written them.  Topics, patterns and limits: docs/worker-protocol.md.
///
/// **Answers.**  Functions with an `id` say, if it is not NULL, by which number their answer will
/// come: USHER_BUS_OK or USHER_BUS_ERROR.  With NULL only errors come, without a number.
///
/// **Errors.**  0 is success; -1 sets errno: EINVAL, `data` is no JSON nested at most 63 deep, or a
/// text is not UTF-8; EMSGSIZE, it is too long; ENOBUFS, 1 MiB waits to be written already; EPIPE,
/// the bus has ended; ENOMEM.
///
/// **Threads.**  A bus is for one thread at a time.  Unlike a worker it takes memory as it goes.

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define USHER_API __attribute__((visibility("default")))

struct usher_bus;

enum usher_bus_kind {
    USHER_BUS_MESSAGE = 1, ///< `from` has published or sent `data`, of `topic` (may be NULL)
    USHER_BUS_REQUEST = 2, ///< a question: likewise; answer it by usher_bus_reply() with its `id`
    USHER_BUS_REPLY = 3,   ///< `from` answers the request `id` with `data`, or `reason` (data NULL)
    USHER_BUS_DONE = 4,    ///< the request `id` is over after `count` replies; `data` is a list of
                           ///< the names of those who have not answered
    USHER_BUS_OK = 5,     ///< `id` is done.  Of messages, `count` get it; of changes `revision`; of
                          ///< usher_store_increment() `data` is the new value
    USHER_BUS_ERROR = 6,  ///< `id` is not: `code`, and `reason` in a sentence.  Of "conflict",
                          ///< `revision` is the one that there is
    USHER_BUS_LOST = 7,   ///< `count` messages, older than what follows, were lost: read too slowly
    USHER_BUS_LEADER = 8, ///< `flag`: this worker is the leader.  If not: stop, and resign
    USHER_BUS_SYNCED = 9, ///< the store's copy is whole, `count` keys at `revision`
    USHER_BUS_SET = 10,   ///< `key` has a new value, `data`
    USHER_BUS_ERASED = 11, ///< `key` is gone; `flag`: because its time was over
    USHER_BUS_END = 12,    ///< the master is gone; comes once, and there is no other bus.  The
                           ///< store's copy stays as it is
};

/// What has happened.  What it points to lives until the next usher_bus_next().
struct usher_bus_event {
    size_t size; ///< of this structure
    enum usher_bus_kind kind;
    int flag;
    uint64_t id; ///< 0: none
    uint64_t count;
    uint64_t revision;
    uint64_t timeout_ms; ///< of a question: how long its answers are waited for
    const char* topic;
    const char* from; ///< "POOL/SLOT"; "usher" is the command line, or the master
    const char* key;
    const char* data; ///< JSON
    size_t data_size; ///< without the terminator
    const char* code;
    const char* reason;
};

#define USHER_BUS_EVENT_INIT                                                                       \
    {                                                                                              \
        .size = sizeof(struct usher_bus_event)                                                     \
    }

/// How a request is asked; zeroes are the protocol's defaults.
struct usher_bus_question {
    size_t size; ///< of this structure
    const char* pool;
    unsigned slot;       ///< with `pool` or `slot`: as usher_bus_send(); else who has subscribed
    uint64_t timeout_ms; ///< 0: 5,000
    uint64_t max;        ///< over when so many have answered; 0: when all have
};

#define USHER_BUS_QUESTION_INIT                                                                    \
    {                                                                                              \
        .size = sizeof(struct usher_bus_question)                                                  \
    }

/// Takes over what USHER_BUS_FD names, which becomes close-on-exec, and removes the variable.  On
/// failure usher_error() has the reason.  ENOENT: there is no bus, because usher has not started
/// this program.  EBUSY: another process of this worker has it, since those that it forks inherit
/// it; the variable stays then, and who opens the bus when that one has ended begins anew.
USHER_API struct usher_bus* usher_bus_open(void);

/// Tries to write what waits, and closes.  NULL does nothing.
USHER_API void usher_bus_close(struct usher_bus* bus);

/// The descriptor to wait on with poll(2), epoll(7) and the like, for reading.  It is the bus's,
/// and the same until usher_bus_close().
USHER_API int usher_bus_fd(const struct usher_bus* bus);

/// The next event.  EAGAIN: none now; wait for usher_bus_fd().  ESHUTDOWN: none any more, since
/// USHER_BUS_END has come.  ENOMEM: it could not be taken in, and is the next still.
USHER_API int usher_bus_next(struct usher_bus* bus, struct usher_bus_event* event);

/// Writes what waits, without waiting itself.  EAGAIN: not all fits.
USHER_API int usher_bus_flush(struct usher_bus* bus);

/// Bytes that wait to be written.
USHER_API size_t usher_bus_waiting(const struct usher_bus* bus);

/// Tells `data` to everybody who has subscribed to `topic`, this worker too.
USHER_API int usher_bus_publish(struct usher_bus* bus, const char* topic, const char* data,
                                uint64_t* id);

/// Tells the worker of that pool (NULL: one's own) and slot, or, with slot 0, all of the pool but
/// this one, subscribed or not.  `topic` may be NULL.
USHER_API int usher_bus_send(struct usher_bus* bus, const char* pool, unsigned slot,
                             const char* topic, const char* data, uint64_t* id);

/// Asks; `question` may be NULL.  What comes by `id`, which may not, are any number of
/// USHER_BUS_REPLY and then USHER_BUS_DONE, or USHER_BUS_ERROR.
USHER_API int usher_bus_request(struct usher_bus* bus, const char* topic, const char* data,
                                const struct usher_bus_question* question, uint64_t* id);

/// Answers the question with this id, once; usher_bus_fail() says why there is no answer.
USHER_API int usher_bus_reply(struct usher_bus* bus, uint64_t id, const char* data);
USHER_API int usher_bus_fail(struct usher_bus* bus, uint64_t id, const char* reason);

/// `pattern` is a topic in which `*` stands for one word, and `>` at the end for one or more.
USHER_API int usher_bus_subscribe(struct usher_bus* bus, const char* pattern, uint64_t* id);
USHER_API int usher_bus_unsubscribe(struct usher_bus* bus, const char* pattern, uint64_t* id);

/// Would be the leader: USHER_BUS_LEADER tells whether it is, now and later.
USHER_API int usher_bus_campaign(struct usher_bus* bus);

/// Is not the leader any more, or never.  Who is told to stop says so when it has stopped.
USHER_API int usher_bus_resign(struct usher_bus* bus);

/// True from the USHER_BUS_LEADER that says so to the one that does not, usher_bus_resign() or the
/// end.
USHER_API int usher_bus_is_leader(const struct usher_bus* bus);

/// A value in the store's copy.  Lives until the next usher_bus_next() or usher_bus_close().
struct usher_store_value {
    size_t size;       ///< of this structure
    const char* data;  ///< JSON
    size_t data_size;  ///< without the terminator
    uint64_t revision; ///< that wrote it
};

#define USHER_STORE_VALUE_INIT                                                                     \
    {                                                                                              \
        .size = sizeof(struct usher_store_value)                                                   \
    }

/// Asks for a copy of the store, and all its changes from now on; once.  USHER_BUS_SYNCED tells
/// when it is there; before that it is empty, and what is in it then is not told as changes.  A
/// worker that has read too slowly may get a new copy: then all that differs is told as changes,
/// once more followed by USHER_BUS_SYNCED.
USHER_API int usher_store_open(struct usher_bus* bus);

/// True from the first USHER_BUS_SYNCED on.
USHER_API int usher_store_is_open(const struct usher_bus* bus);

/// Looks into the copy: no system call, and no more work the more keys there are.  ENOENT: there is
/// no such key.  `value` may be NULL, and is unchanged on failure.
USHER_API int usher_store_get(const struct usher_bus* bus, const char* key,
                              struct usher_store_value* value);

/// Calls `visit` for each key that begins with `prefix` ("": for all), in no order, until it
/// returns another number than 0, and returns that.  `visit` may not call usher_bus_next().
USHER_API int usher_store_each(const struct usher_bus* bus, const char* prefix,
                               int (*visit)(void* context, const char* key,
                                            const struct usher_store_value* value),
                               void* context);

/// Keys in the copy.
USHER_API size_t usher_store_count(const struct usher_bus* bus);

/// Changes.  None shows in the copy before the master has put it into the order of all changes,
/// which USHER_BUS_OK follows.  `ttl_ms`: it goes after that time; 0: it stays.
USHER_API int usher_store_put(struct usher_bus* bus, const char* key, const char* data,
                              uint64_t ttl_ms, uint64_t* id);
USHER_API int usher_store_erase(struct usher_bus* bus, const char* key, uint64_t* id);

/// Adds `by` to a whole number; what is not there counts as 0, and then alone `ttl_ms` counts.
USHER_API int usher_store_increment(struct usher_bus* bus, const char* key, int64_t by,
                                    uint64_t ttl_ms, uint64_t* id);

/// Likewise, only if the key has the revision `expected`; 0: if there is none.  Else the answer is
/// the error "conflict".
USHER_API int usher_store_put_if(struct usher_bus* bus, const char* key, const char* data,
                                 uint64_t ttl_ms, uint64_t expected, uint64_t* id);
USHER_API int usher_store_erase_if(struct usher_bus* bus, const char* key, uint64_t expected,
                                   uint64_t* id);

#ifdef __cplusplus
}
#endif
