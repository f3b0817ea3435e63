// SPDX-License-Identifier: MIT
// Accepts and closes, and does nothing else: what is counted under it is the library's.
#include <err.h>
#include <poll.h>
#include <unistd.h>
#include <usher.h>

int main(void)
{
    struct usher_worker* const worker = usher_open(NULL);
    if (worker == NULL)
        errx(1, "%s", usher_error());
    usher_ready(worker);
    while (!usher_drained(worker)) {
        struct pollfd entry = {.fd = usher_fd(worker), .events = POLLIN};
        poll(&entry, 1, -1);
        for (int fd = -1; (fd = usher_accept(worker, NULL)) >= 0;) {
            close(fd);
            usher_done(worker);
        }
    }
    usher_close(worker);
}
