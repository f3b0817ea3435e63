// SPDX-License-Identifier: MIT
#include "loop.h"

#include "clock.h"
#include "control.h"
#include "foreign_loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    heartbeat_seconds = 1,
    /// Long enough not to spin, short enough that nobody notices when descriptors come free.
    pause_nanoseconds = 50 * 1000 * 1000,
};

static int watch(struct usher_worker* worker, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void forget(struct usher_worker* worker, int fd)
{
    epoll_ctl(worker->epoll, EPOLL_CTL_DEL, fd, NULL);
}

/// Wakes after `nanoseconds`, or a second, and then every second while there is a master to see it.
static int set_timer(struct usher_worker* worker, long nanoseconds)
{
    const time_t period = worker->has_master ? heartbeat_seconds : 0;
    const struct itimerspec spec = {
        .it_interval = {.tv_sec = period},
        .it_value = {.tv_sec = nanoseconds == 0 ? period : 0, .tv_nsec = nanoseconds}};
    return timerfd_settime(worker->timer, 0, &spec, NULL);
}

static void beat(struct usher_worker* worker)
{
    atomic_store_explicit(&worker->given.page->heartbeat, uw_monotonic_nanoseconds(),
                          memory_order_relaxed);
}

int uw_take_source(struct usher_worker* worker)
{
    forget(worker, worker->source);
    return worker->source;
}

int uw_start_loop(struct usher_worker* worker)
{
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    worker->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (worker->epoll < 0 || worker->timer < 0 || watch(worker, worker->timer) < 0 ||
        watch(worker, worker->source) < 0 ||
        (worker->has_master && watch(worker, worker->given.control) < 0) ||
        set_timer(worker, 0) < 0)
        return -1;
    beat(worker);
    return 0;
}

static void on_timer(struct usher_worker* worker)
{
    uint64_t ticks;
    if (read(worker->timer, &ticks, sizeof ticks) < 0)
        return;
    beat(worker);
    if (worker->is_paused && !worker->is_ended) {
        worker->is_paused = false;
        worker->is_readable = true; // whether it is, reading will show
        watch(worker, worker->source);
    }
}

static void on_control(struct usher_worker* worker)
{
    for (;;) {
        // recv() has no place for descriptors, so none can come in this way.
        const ssize_t size =
            recv(worker->given.control, worker->message, sizeof worker->message, MSG_DONTWAIT);
        if (size < 0 && errno == EINTR)
            continue;
        if (size == 0 || (size < 0 && errno != EAGAIN))
            forget(worker, worker->given.control); // that the master is gone shows on the source
        if (size <= 0)
            return;

        uint64_t timeout_ms = 0;
        if (uw_read_drain(worker->message, (size_t)size, &timeout_ms)) {
            worker->drain_deadline = uw_monotonic_nanoseconds() + timeout_ms * 1000000U;
            worker->is_draining = true;
        }
    }
}

void uw_turn_loop(struct usher_worker* worker)
{
    struct epoll_event events[3];
    const int count = epoll_wait(worker->epoll, events, 3, 0);
    for (int i = 0; i < count; ++i) {
        if (events[i].data.fd == worker->timer)
            on_timer(worker);
        else if (events[i].data.fd == worker->given.control)
            on_control(worker);
        else
            worker->is_readable = true;
    }
}

void uw_pause(struct usher_worker* worker)
{
    worker->is_paused = true;
    worker->is_readable = false;
    forget(worker, worker->source);
    set_timer(worker, pause_nanoseconds);
}

void uw_end(struct usher_worker* worker)
{
    if (worker->has_master)
        on_control(worker); // the drain message may be there and not looked at yet
    worker->is_ended = true;
    worker->is_draining = true;
    forget(worker, worker->source);
    forget(worker, worker->given.control);
    forget(worker, worker->timer);
}
