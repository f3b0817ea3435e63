// SPDX-License-Identifier: MIT
//
// A worker in C that says "c" to its clients and closes.  On the bus it answers requests of the
// topic who.is with "c"; to a message of count, with a number N, it adds 1 to the key of that name
// N times by compare and set, and publishes news.counted then.
#include <usher.h>

#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct usher_worker* worker;
static struct usher_bus* bus;
static long left; ///< to count

static void count_one(void)
{
    struct usher_store_value value = USHER_STORE_VALUE_INIT;
    const long before =
        usher_store_get(bus, "count", &value) == 0 ? strtol(value.data, NULL, 10) : 0;
    char after[32];
    snprintf(after, sizeof after, "%ld", before + 1);
    uint64_t id;
    if (usher_store_put_if(bus, "count", after, 0, value.revision, &id) < 0)
        err(1, "put");
}

static void on_counted(int is_done)
{
    left -= is_done;
    if (left > 0)
        count_one();
    else
        usher_bus_publish(bus, "news.counted", "true", NULL);
}

static void on_event(const struct usher_bus_event* event)
{
    if (event->kind == USHER_BUS_SYNCED) {
        usher_ready(worker);
    } else if (event->kind == USHER_BUS_REQUEST && strcmp(event->topic, "who.is") == 0) {
        usher_bus_reply(bus, event->id, "\"c\"");
    } else if (event->kind == USHER_BUS_MESSAGE) {
        left = strtol(event->data, NULL, 10);
        count_one();
    } else if (event->kind == USHER_BUS_OK || event->kind == USHER_BUS_ERROR) {
        if (event->kind == USHER_BUS_ERROR && strcmp(event->code, "conflict") != 0)
            errx(1, "%s: %s", event->code, event->reason);
        on_counted(event->kind == USHER_BUS_OK);
    }
}

int main(void)
{
    if ((worker = usher_open(NULL)) == NULL || (bus = usher_bus_open()) == NULL)
        errx(1, "%s", usher_error());
    usher_bus_subscribe(bus, "who.*", NULL);
    usher_bus_subscribe(bus, "count", NULL);
    usher_store_open(bus);
    while (!usher_drained(worker)) {
        struct pollfd entries[] = {{.fd = usher_fd(worker), .events = POLLIN},
                                   {.fd = usher_bus_fd(bus), .events = POLLIN}};
        poll(entries, 2, -1);
        struct usher_bus_event event = USHER_BUS_EVENT_INIT;
        while (usher_bus_next(bus, &event) == 0)
            on_event(&event);
        for (int fd = -1; (fd = usher_accept(worker, NULL)) >= 0;) {
            (void)!write(fd, "c\n", 2);
            close(fd);
            usher_done(worker);
        }
    }
    usher_bus_close(bus);
    usher_close(worker);
}
