/* SPDX-License-Identifier: MIT */
/* A worker that does nothing but speak on the bus, or listen: bus_talker FILE.
 *
 * FILE has eight numbers of 64 bits: [0] how many messages a second the worker in slot 1 says, as
 * many as it can if that is all bits; [1] what it has said; [2] and [3] what all others have heard
 * and lost. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { batch = 100, most_line = 256 };

static void say(int bus, const char* text, size_t size)
{
    while (size > 0) {
        const ssize_t written = write(bus, text, size);
        if (written < 0)
            exit(0);
        text += written;
        size -= (size_t)written;
    }
}

static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static void talk(int bus, _Atomic uint64_t* figures)
{
    static char lines[batch * most_line];
    size_t size = 0;
    for (int i = 0; i < batch; ++i)
        size += (size_t)snprintf(lines + size, most_line,
                                 "{\"type\":\"publish\",\"topic\":\"bench\",\"data\":{\"n\":%d,"
                                 "\"text\":\"%050d\"}}\n",
                                 i, 0);
    uint64_t due = now_ns();
    for (;;) {
        const uint64_t rate = figures[0];
        if (rate == 0) {
            poll(NULL, 0, 10);
            due = now_ns();
            continue;
        }
        say(bus, lines, size);
        figures[1] += batch;
        if (rate == UINT64_MAX)
            continue;
        due += batch * UINT64_C(1000000000) / rate;
        const uint64_t now = now_ns();
        if (due > now) {
            const struct timespec pause = {.tv_nsec = (long)(due - now)};
            nanosleep(&pause, NULL);
        }
    }
}

static void listen_only(int bus, _Atomic uint64_t* figures)
{
    static char text[1 << 18];
    static const char lost[] = "{\"type\":\"lost\",\"count\":";
    size_t kept = 0;
    const char hello[] = "{\"type\":\"subscribe\",\"pattern\":\"bench\"}\n";
    say(bus, hello, sizeof hello - 1);
    for (;;) {
        const ssize_t got = read(bus, text + kept, sizeof text - kept);
        if (got <= 0)
            exit(0);
        const char* at = text;
        const char* const end = text + kept + got;
        uint64_t heard = 0;
        const char* next;
        while ((next = memchr(at, '\n', (size_t)(end - at))) != NULL) {
            if ((size_t)(next - at) > sizeof lost && memcmp(at, lost, sizeof lost - 1) == 0)
                figures[3] += strtoull(at + sizeof lost - 1, NULL, 10);
            else
                ++heard;
            at = next + 1;
        }
        figures[2] += heard;
        kept = (size_t)(end - at);
        memmove(text, at, kept);
    }
}

int main(int count, char** words)
{
    const char* const bus = getenv("USHER_BUS_FD");
    const char* const slot = getenv("USHER_SLOT");
    const int file = count == 2 ? open(words[1], O_RDWR | O_CLOEXEC) : -1;
    if (bus == NULL || slot == NULL || file < 0)
        return 2;
    _Atomic uint64_t* const figures =
        mmap(NULL, 8 * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (figures == MAP_FAILED)
        return 2;
    if (strcmp(slot, "1") == 0)
        talk(atoi(bus), figures);
    else
        listen_only(atoi(bus), figures);
}
