// SPDX-License-Identifier: MIT
// A worker that serves each client address so many requests in a while, whichever of the workers
// it comes to: they count together, in the store.
//
//     usher run --listen 8000 -- ./rate-limiter-c 10 60000      ten a minute
#include <usher.h>

#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct client {
    int fd;
    uint64_t id; ///< of the increment whose answer it waits for; 0: none yet
    struct client* next;
    char key[80];
    size_t used;
    char request[4096];
};

static struct usher_worker* worker;
static struct usher_bus* bus;
static int epoll;
static long limit = 10;
static uint64_t window_ms = 60000;
static struct client* waiting; ///< for the store

static void end(struct client* client, const char* answer)
{
    if (answer != NULL)
        (void)!write(client->fd, answer, strlen(answer)); // it fits an empty socket buffer
    close(client->fd);
    free(client);
    usher_done(worker);
}

static void answer(struct client* client, long count)
{
    char text[200];
    const char* const body = count <= limit ? "Hello, World!\n" : "Slow down.\n";
    snprintf(text, sizeof text,
             "HTTP/1.1 %s\r\nX-Count: %ld\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
             count <= limit ? "200 OK" : "429 Too Many Requests", count, strlen(body), body);
    end(client, text);
}

/// Counts a request.  Whoever is over the limit already is found in this worker's own copy, and
/// costs nobody else anything.
static void count(struct client* client)
{
    // From here on it waits for the store.  close() alone would leave it in the epoll for as long
    // as the master has its copy.
    epoll_ctl(epoll, EPOLL_CTL_DEL, client->fd, NULL);
    struct usher_store_value value = USHER_STORE_VALUE_INIT;
    const long known =
        usher_store_get(bus, client->key, &value) == 0 ? strtol(value.data, NULL, 10) : 0;
    if (known <= limit && usher_store_increment(bus, client->key, 1, window_ms, &client->id) == 0) {
        client->next = waiting;
        waiting = client;
    } else {
        answer(client, known); // also without a master: then nobody counts, and all are served
    }
}

static void on_counted(const struct usher_bus_event* event)
{
    struct client** place = &waiting;
    while (*place != NULL && (*place)->id != event->id)
        place = &(*place)->next;
    struct client* const client = *place;
    if (client == NULL)
        return;
    *place = client->next;
    answer(client, event->data != NULL ? strtol(event->data, NULL, 10) : 0);
}

static void listen_to_bus(void)
{
    struct usher_bus_event event = USHER_BUS_EVENT_INIT;
    while (usher_bus_next(bus, &event) == 0) {
        if (event.kind == USHER_BUS_SYNCED)
            usher_ready(worker); // connections may come
        else if (event.kind == USHER_BUS_OK || event.kind == USHER_BUS_ERROR)
            on_counted(&event);
        while (event.kind == USHER_BUS_END && waiting != NULL) {
            struct client* const client = waiting;
            waiting = client->next;
            answer(client, 0);
        }
    }
}

static void begin(int fd, const struct usher_connection* connection)
{
    struct client* const client = calloc(1, sizeof *client);
    if (client == NULL)
        err(1, "calloc");
    char host[64] = "unix";
    getnameinfo((const struct sockaddr*)&connection->peer, connection->peer_size, host, sizeof host,
                NULL, 0, NI_NUMERICHOST);
    snprintf(client->key, sizeof client->key, "rate.%s", host);
    client->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        end(client, NULL);
} // NOLINT(clang-analyzer-unix.Malloc): the epoll holds it

static void serve(struct client* client)
{
    const size_t room = sizeof client->request - 1 - client->used;
    const ssize_t size = read(client->fd, client->request + client->used, room);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size > 0)
        client->used += (size_t)size;
    client->request[client->used] = '\0';
    if (size > 0 && strstr(client->request, "\r\n\r\n") != NULL) {
        count(client);
    } else if (size <= 0 || client->used == sizeof client->request - 1) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, client->fd, NULL);
        end(client, NULL);
    }
}

static void watch(int fd, void* what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        err(1, "epoll");
}

int main(int argc, char** argv)
{
    limit = argc > 1 ? strtol(argv[1], NULL, 10) : limit;
    window_ms = argc > 2 ? strtoull(argv[2], NULL, 10) : window_ms;
    if ((worker = usher_open(NULL)) == NULL || (bus = usher_bus_open()) == NULL)
        errx(1, "%s", usher_error());
    if ((epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        err(1, "epoll");
    watch(usher_fd(worker), worker);
    watch(usher_bus_fd(bus), bus);
    usher_store_open(bus);

    while (!usher_drained(worker)) {
        struct epoll_event events[64];
        const int ready = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < ready; ++i) {
            struct usher_connection connection = USHER_CONNECTION_INIT;
            int fd = -1;
            if (events[i].data.ptr == bus)
                listen_to_bus();
            else if (events[i].data.ptr != worker)
                serve(events[i].data.ptr);
            else
                while ((fd = usher_accept(worker, &connection)) >= 0)
                    begin(fd, &connection);
        }
    }
    usher_bus_close(bus);
    usher_close(worker);
}
