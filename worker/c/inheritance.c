// SPDX-License-Identifier: MIT
#include "inheritance.h"

#include "failure.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PROTOCOL "USHER_PROTOCOL"
#define HANDOFF_FD "USHER_HANDOFF_FD"
#define CONTROL_FD "USHER_CONTROL_FD"
#define SCOREBOARD_FD "USHER_SCOREBOARD_FD"
#define WORKER_ID "USHER_WORKER_ID"
#define SLOT "USHER_SLOT"
#define GENERATION "USHER_GENERATION"
#define POOL "USHER_POOL"

static const char* text_of(const char* name)
{
    const char* const text = getenv(name);
    if (text == NULL)
        uw_fail(EINVAL,
                "%s is not set although " PROTOCOL " is: start this program with usher, or "
                "without both",
                name);
    return text;
}

static int number_of(const char* name, uint64_t highest, uint64_t* value)
{
    const char* const text = text_of(name);
    if (text == NULL)
        return -1;

    char* end = NULL;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || *value > highest)
        return uw_fail(EINVAL, "%s is \"%s\", which is no number", name, text);
    return 0;
}

static int small_number_of(const char* name, unsigned* value)
{
    uint64_t number = 0;
    if (number_of(name, UINT_MAX, &number) < 0)
        return -1;
    *value = (unsigned)number;
    return 0;
}

static int descriptor_of(const char* name, int* fd)
{
    uint64_t number = 0;
    if (number_of(name, INT_MAX, &number) < 0)
        return -1;
    if (fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0)
        return uw_fail(errno, "%s names descriptor %d, which is not open", name, (int)number);
    *fd = (int)number;
    return 0;
}

static struct uw_page* map_page(int fd)
{
    void* const address = mmap(NULL, uw_page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) {
        uw_fail(errno, "the scoreboard cannot be mapped: %s", strerror(errno));
        return NULL;
    }

    struct uw_page* const page = address;
    if (page->magic != uw_page_magic || page->version != uw_page_version) {
        munmap(address, uw_page_size);
        uw_fail(EPROTO, "the scoreboard is of another version than this program's");
        return NULL;
    }
    return page;
}

int uw_take_inheritance(struct uw_inheritance* inheritance)
{
    struct uw_inheritance it = {0};
    uint64_t protocol = 0;
    int scoreboard = -1;
    const char* pool = NULL;

    if (getenv(PROTOCOL) == NULL)
        return 0;
    if (number_of(PROTOCOL, INT_MAX, &protocol) < 0)
        return -1;
    if (protocol != 1)
        return uw_fail(EPROTO,
                       "the master speaks protocol %d, this program speaks 1: build it against the "
                       "installed usher",
                       (int)protocol);

    if ((pool = text_of(POOL)) == NULL || small_number_of(SLOT, &it.slot) < 0 ||
        small_number_of(GENERATION, &it.generation) < 0 ||
        number_of(WORKER_ID, UINT64_MAX, &it.id) < 0 ||
        descriptor_of(HANDOFF_FD, &it.handoff) < 0 || descriptor_of(CONTROL_FD, &it.control) < 0 ||
        descriptor_of(SCOREBOARD_FD, &scoreboard) < 0)
        return -1;
    if (it.handoff == it.control || it.handoff == scoreboard || it.control == scoreboard)
        return uw_fail(EINVAL, HANDOFF_FD ", " CONTROL_FD " and " SCOREBOARD_FD
                                          " do not name three descriptors");
    if ((it.page = map_page(scoreboard)) == NULL)
        return -1;
    if ((it.pool = strdup(pool)) == NULL) {
        munmap(it.page, uw_page_size);
        return uw_fail(ENOMEM, "out of memory");
    }
    close(scoreboard); // the mapping stays

    static const char* const names[] = {PROTOCOL,  HANDOFF_FD, CONTROL_FD, SCOREBOARD_FD,
                                        WORKER_ID, SLOT,       GENERATION, POOL};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i)
        unsetenv(names[i]);
    *inheritance = it;
    return 1;
}
