// SPDX-License-Identifier: MIT
//
// As if fs.epoll.max_user_watches of the user were used up (epoll_ctl(2), ENOSPC): in the usher
// that it is preloaded into nothing more can be waited for while there is a file $FULL_EPOLL.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event* event)
{
    const char* const file = getenv("FULL_EPOLL");
    if (operation == EPOLL_CTL_ADD && file != NULL && access(file, F_OK) == 0 &&
        strcmp(program_invocation_short_name, "usher") == 0) {
        errno = ENOSPC;
        return -1;
    }
    return ((__typeof__(&epoll_ctl))dlsym(RTLD_NEXT, "epoll_ctl"))(epoll, operation, fd, event);
}
