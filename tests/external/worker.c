// SPDX-License-Identifier: MIT
#include <usher.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void serve(int fd)
{
    const char answer[] = "HTTP/1.0 200 OK\r\n\r\nserved in C\n";
    char request[4096];
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    if (poll(&entry, 1, -1) > 0 && read(fd, request, sizeof request) > 0 &&
        write(fd, answer, strlen(answer)) < 0)
        perror("write");
    close(fd);
}

int main(void)
{
    struct usher_worker* worker = usher_open(NULL);
    if (worker == NULL) {
        perror("usher_open");
        return 1;
    }
    usher_ready(worker);
    while (!usher_drained(worker)) {
        struct pollfd entry = {.fd = usher_fd(worker), .events = POLLIN};
        poll(&entry, 1, -1);
        for (int fd; (fd = usher_accept(worker, NULL)) >= 0;) {
            serve(fd);
            usher_done(worker);
        }
    }
    usher_close(worker);
    return 0;
}
