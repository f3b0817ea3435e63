// SPDX-License-Identifier: MIT
#include "headroom.h"

#include <assert.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

bool uw_is_far_from_fd_limit(size_t count)
{
    struct stat status;
    struct rlimit limit;
    return stat("/proc/self/fd", &status) == 0 && status.st_size > 0 &&
           getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
           (rlim_t)status.st_size + count <= limit.rlim_cur;
}

bool uw_has_fd_headroom(int fd, size_t count)
{
    int probes[64];
    assert(count <= sizeof probes / sizeof probes[0]);

    size_t opened = 0;
    while (opened < count && (probes[opened] = fcntl(fd, F_DUPFD_CLOEXEC, 0)) >= 0)
        ++opened;
    for (size_t i = 0; i < opened; ++i)
        close(probes[i]);
    return opened == count;
}
