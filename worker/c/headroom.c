// SPDX-License-Identifier: MIT
#include "headroom.h"

#include "handoff.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

bool uw_find_fd_reserve(int* mark)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return false;

    const int end = limit.rlim_cur < INT_MAX ? (int)limit.rlim_cur : INT_MAX;
    const int begin = end > 4 * uw_max_records ? end - 4 * uw_max_records : 0;
    // Not by opening as many: for a moment other threads would find the table full.
    int unused = 0;
    for (int fd = begin; fd < end; ++fd)
        unused += fcntl(fd, F_GETFD) < 0;
    if (unused >= 3 * uw_max_records)
        *mark = begin;
    return unused >= uw_max_records;
}

bool uw_has_fd_headroom(int fd, size_t count)
{
    int probes[uw_max_records];
    assert(count <= uw_max_records);

    size_t opened = 0;
    while (opened < count && (probes[opened] = fcntl(fd, F_DUPFD_CLOEXEC, 0)) >= 0)
        ++opened;
    for (size_t i = 0; i < opened; ++i)
        close(probes[i]);
    return opened == count;
}
