// SPDX-License-Identifier: MIT
// A worker in C: HTTP/1.1 on one epoll, a request a connection.
//
//     usher run --listen 8000 -- ./hello-c      one per CPU behind one port
//     ./hello-c 127.0.0.1:8000                  one, alone
#include <usher.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct client {
    int fd;
    size_t used;
    char request[4096];
};

static struct usher_worker* worker;
static int epoll;
static char answer[256];

static void end(struct client* client)
{
    // close() alone would leave it in the epoll for as long as the master has its copy.
    epoll_ctl(epoll, EPOLL_CTL_DEL, client->fd, NULL);
    close(client->fd);
    free(client);
    usher_done(worker);
}

static void begin(int fd)
{
    struct client* const client = malloc(sizeof *client);
    if (client == NULL)
        err(1, "malloc");
    client->fd = fd;
    client->used = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        end(client);
} // NOLINT(clang-analyzer-unix.Malloc): the epoll holds it

static void serve(struct client* client)
{
    const size_t room = sizeof client->request - 1 - client->used;
    const ssize_t size = read(client->fd, client->request + client->used, room);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0) {
        end(client);
        return;
    }
    client->used += (size_t)size;
    client->request[client->used] = '\0';
    const int complete = strstr(client->request, "\r\n\r\n") != NULL;
    if (complete)
        (void)!write(client->fd, answer, strlen(answer)); // it fits an empty socket buffer
    if (complete || client->used == sizeof client->request - 1)
        end(client);
}

int main(int argc, char** argv)
{
    struct usher_options options = USHER_OPTIONS_INIT;
    options.fallback = argc > 1 ? argv[1] : NULL;
    if ((worker = usher_open(&options)) == NULL)
        errx(1, "%s", usher_error());

    struct usher_identity identity = USHER_IDENTITY_INIT;
    usher_get_identity(worker, &identity);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 200 OK\r\nX-Pid: %d\r\nX-Slot: %u\r\nConnection: close\r\n"
             "Content-Length: 14\r\n\r\nHello, World!\n",
             getpid(), identity.slot);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, usher_fd(worker), &event) < 0)
        err(1, "epoll");

    usher_ready(worker); // connections may come
    while (!usher_drained(worker)) {
        struct epoll_event events[64];
        const int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; ++i) {
            int fd = -1;
            if (events[i].data.ptr != NULL)
                serve(events[i].data.ptr);
            else
                while ((fd = usher_accept(worker, NULL)) >= 0)
                    begin(fd);
        }
    }
    usher_close(worker);
}
