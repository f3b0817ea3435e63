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

enum {
    protocol,
    slot,
    generation,
    worker_id,
    handoff_fd, ///< from here on descriptors
    control_fd,
    scoreboard_fd,
    number_count,
    pool = number_count,
};

/// The variables, and how high their numbers go.
static const struct {
    const char* name;
    uint64_t highest;
} variables[] = {
    [protocol] = {"USHER_PROTOCOL", INT_MAX},
    [slot] = {"USHER_SLOT", UINT_MAX},
    [generation] = {"USHER_GENERATION", UINT_MAX},
    [worker_id] = {"USHER_WORKER_ID", UINT64_MAX},
    [handoff_fd] = {"USHER_HANDOFF_FD", INT_MAX},
    [control_fd] = {"USHER_CONTROL_FD", INT_MAX},
    [scoreboard_fd] = {"USHER_SCOREBOARD_FD", INT_MAX},
    [pool] = {"USHER_POOL", 0},
};

static const char* text_of(int variable)
{
    const char* const text = getenv(variables[variable].name);
    if (text == NULL)
        uw_fail(EINVAL,
                "%s is not set although USHER_PROTOCOL is: start this program with usher, or "
                "without both",
                variables[variable].name);
    return text;
}

static int read_number(int variable, uint64_t* value)
{
    const char* const text = text_of(variable);
    if (text == NULL)
        return -1;

    char* end = NULL;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 ||
        *value > variables[variable].highest)
        return uw_fail(EINVAL, "%s is \"%s\", which is no number", variables[variable].name, text);
    return 0;
}

/// Reads all numbers and makes the descriptors close-on-exec.
static int read_numbers(uint64_t* values)
{
    for (int i = 0; i < number_count; ++i) {
        if (read_number(i, &values[i]) < 0)
            return -1;
        if (i == protocol && values[i] != 1)
            return uw_fail(EPROTO,
                           "the master speaks protocol %d, this program speaks 1: build it against "
                           "the installed usher",
                           (int)values[i]);
        if (i >= handoff_fd && fcntl((int)values[i], F_SETFD, FD_CLOEXEC) < 0)
            return uw_fail(errno, "%s names descriptor %d, which is not open", variables[i].name,
                           (int)values[i]);
    }
    if (values[handoff_fd] == values[control_fd] || values[handoff_fd] == values[scoreboard_fd] ||
        values[control_fd] == values[scoreboard_fd])
        return uw_fail(EINVAL, "USHER_HANDOFF_FD, USHER_CONTROL_FD and USHER_SCOREBOARD_FD do not "
                               "name three descriptors");
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
    if (getenv(variables[protocol].name) == NULL)
        return 0;

    uint64_t values[number_count];
    const char* const name = text_of(pool);
    if (name == NULL || read_numbers(values) < 0)
        return -1;
    struct uw_inheritance it = {
        .handoff = (int)values[handoff_fd],
        .control = (int)values[control_fd],
        .page = map_page((int)values[scoreboard_fd]),
        .identity = {.size = sizeof it.identity,
                     .slot = (unsigned)values[slot],
                     .generation = (unsigned)values[generation],
                     .id = values[worker_id]},
    };
    if (it.page == NULL)
        return -1;
    if ((it.identity.pool = strdup(name)) == NULL) {
        munmap(it.page, uw_page_size);
        return uw_fail(ENOMEM, "out of memory");
    }
    close((int)values[scoreboard_fd]); // the mapping stays

    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; ++i)
        unsetenv(variables[i].name);
    *inheritance = it;
    return 1;
}
