// SPDX-License-Identifier: MIT
#include "usher.h"

#include "clock.h"
#include "control.h"
#include "failure.h"
#include "fallback.h"
#include "fill.h"
#include "foreign_loop.h"
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char* usher_version(void)
{
    return USHER_VERSION;
}

/// What the caller says, defaults for the rest.  -1: it says something wrong.
static int complete_options(const struct usher_options* given, struct usher_options* options)
{
    *options = (struct usher_options)USHER_OPTIONS_INIT;
    if (given != NULL)
        uw_fill(options, sizeof *options, given,
                given->size < sizeof *given ? given->size : sizeof *given);
    if (options->fallback == NULL)
        options->fallback = "127.0.0.1:8000";
    if (options->backlog == 0)
        options->backlog = 4096;
    if (options->max_batch == 0)
        options->max_batch = uw_max_records;
    if (options->max_batch > uw_max_records)
        return uw_fail(EINVAL, "max_batch is %u, and goes from 1 to 64", options->max_batch);
    return 0;
}

/// What a worker writes is read by its master.  One that outlives the master must not die of a log
/// line before it has finished its connections.
static void ignore_sigpipe(void)
{
    struct sigaction current;
    if (sigaction(SIGPIPE, NULL, &current) == 0 && current.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

static int open_source(struct usher_worker* worker, const struct usher_options* options)
{
    const int taken = uw_take_inheritance(&worker->given);
    if (taken < 0)
        return -1;
    if (taken == 0) {
        worker->given.page = &worker->own_page;
        worker->source = uw_listen(options);
        return worker->source < 0 ? -1 : 0;
    }

    worker->has_master = true;
    worker->source = worker->given.handoff;
    ignore_sigpipe();
    uw_say_hello(worker->given.control, options->max_batch, options->fallback);
    return 0;
}

struct usher_worker* usher_open(const struct usher_options* options)
{
    struct usher_options complete;
    if (complete_options(options, &complete) < 0)
        return NULL;

    struct usher_worker* const worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        uw_fail(ENOMEM, "out of memory");
        return NULL;
    }
    worker->epoll = worker->timer = worker->given.control = worker->source = -1;

    int result = open_source(worker, &complete);
    if (result == 0 && (result = uw_start_loop(worker)) < 0)
        uw_fail(errno, "the worker's event loop cannot be made: %s", strerror(errno));
    if (result == 0)
        return worker;

    const int error = errno;
    usher_close(worker);
    errno = error;
    return NULL;
}

void uw_shut(struct usher_worker* worker)
{
    uw_drop(&worker->batch);
    int* const fds[] = {&worker->epoll, &worker->timer, &worker->given.control, &worker->source};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; ++i) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

void usher_close(struct usher_worker* worker)
{
    if (worker == NULL)
        return;
    uw_shut(worker);
    if (worker->has_master)
        munmap(worker->given.page, uw_page_size);
    free((char*)worker->given.identity.pool);
    free(worker);
}

int usher_ready(struct usher_worker* worker)
{
    return worker->has_master ? uw_say_ready(worker->given.control) : 0;
}

int usher_bye(struct usher_worker* worker, const char* reason)
{
    return worker->has_master ? uw_say_bye(worker->given.control, reason) : 0;
}

int usher_fd(const struct usher_worker* worker)
{
    return worker->epoll;
}

int usher_poll(struct usher_worker* worker)
{
    uw_turn_loop(worker);
    return 0;
}

bool uw_has_buffered(const struct usher_worker* worker)
{
    return worker->batch.next < worker->batch.count;
}

static void count_accepted(struct usher_worker* worker)
{
    atomic_fetch_add_explicit(&worker->given.page->accepted, 1, memory_order_relaxed);
}

int uw_next(struct usher_worker* worker, struct usher_connection* connection)
{
    int fd = -1;
    if (!worker->has_master) {
        fd = uw_accept(worker->source, worker->last_id + 1, connection);
        worker->last_id += fd >= 0 ? 1 : 0;
    } else {
        const int received =
            uw_has_buffered(worker) ? 1 : uw_receive_safely(worker->source, &worker->batch);
        for (; worker->batch.lost > 0; --worker->batch.lost) { // else the master waits for them
            count_accepted(worker);
            usher_done(worker);
        }
        if (received == 1)
            fd = uw_take(&worker->batch, connection);
        if (received == 0) {
            uw_end(worker);
            errno = ESHUTDOWN;
        }
    }
    if (fd >= 0)
        count_accepted(worker);
    return fd;
}

int usher_accept(struct usher_worker* worker, struct usher_connection* connection)
{
    if (!uw_has_buffered(worker)) {
        worker->is_readable = false;
        if (!worker->is_ended)
            uw_turn_loop(worker);
        if (!worker->is_readable) {
            errno = worker->is_ended ? ESHUTDOWN : EAGAIN;
            return -1;
        }
    }

    const int fd = uw_next(worker, connection);
    if (fd < 0 && errno == EMFILE) {
        uw_pause(worker);
        errno = EAGAIN;
    }
    return fd;
}

int usher_done(struct usher_worker* worker)
{
    // Never past `accepted`: the master would end this worker for it.
    uint64_t closed = atomic_load_explicit(&worker->given.page->closed, memory_order_relaxed);
    do {
        if (closed >= atomic_load_explicit(&worker->given.page->accepted, memory_order_relaxed)) {
            errno = EINVAL;
            return -1;
        }
    } while (!atomic_compare_exchange_weak_explicit(&worker->given.page->closed, &closed,
                                                    closed + 1, memory_order_release,
                                                    memory_order_relaxed));
    return 0;
}

int usher_draining(const struct usher_worker* worker)
{
    return worker->is_draining;
}

uint64_t usher_drain_deadline(const struct usher_worker* worker)
{
    return worker->drain_deadline;
}

int usher_drained(const struct usher_worker* worker)
{
    return worker->is_ended && usher_open_connections(worker) == 0;
}

uint64_t usher_open_connections(const struct usher_worker* worker)
{
    const uint64_t closed = atomic_load_explicit(&worker->given.page->closed, memory_order_acquire);
    return atomic_load_explicit(&worker->given.page->accepted, memory_order_relaxed) - closed;
}

void usher_set_load(struct usher_worker* worker, uint64_t load)
{
    atomic_store_explicit(&worker->given.page->load, load, memory_order_relaxed);
}

int usher_get_identity(const struct usher_worker* worker, struct usher_identity* identity)
{
    if (!worker->has_master) {
        errno = ENOENT;
        return -1;
    }
    const struct usher_identity* const known = &worker->given.identity;
    uw_fill(identity, identity->size, known, known->size);
    return 0;
}
