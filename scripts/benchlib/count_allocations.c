// SPDX-License-Identifier: MIT
//
// Counts the heap allocations of the program it is preloaded into.  The counter is the file
// $COUNT_ALLOCATIONS/PID, mapped, so that it can be read while the program runs.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

static uint64_t before_mapping;
static uint64_t* counter = &before_mapping;

static void count(void)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

void* malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void* calloc(size_t number, size_t size)
{
    count();
    return __libc_calloc(number, size);
}

void* realloc(void* old, size_t size)
{
    count();
    return __libc_realloc(old, size);
}

void* memalign(size_t alignment, size_t size)
{
    count();
    return __libc_memalign(alignment, size);
}

// Asio allocates its handlers with this one.
void* aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void** result, size_t alignment, size_t size)
{
    *result = memalign(alignment, size);
    return *result ? 0 : ENOMEM;
}

__attribute__((constructor)) static void map_counter(void)
{
    const char* folder = getenv("COUNT_ALLOCATIONS");
    char path[4096];
    if (!folder || snprintf(path, sizeof path, "%s/%d", folder, getpid()) >= (int)sizeof path)
        return;

    const int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (ftruncate(fd, sizeof *counter) == 0) {
        void* page = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page != MAP_FAILED) {
            *(uint64_t*)page = before_mapping;
            counter = page;
        }
    }
    close(fd);
}
