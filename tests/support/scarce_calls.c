// SPDX-License-Identifier: MIT
//
// As if the kernel had no more to give: in the usher that it is preloaded into a call fails while
// there is a file $SCARCE_CALLS/CALL.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/// The file of `call`; false in other programs.
static bool name_file(const char* call, char* file, size_t size)
{
    const char* const folder = getenv("SCARCE_CALLS");
    if (folder == NULL || strcmp(program_invocation_short_name, "usher") != 0)
        return false;
    snprintf(file, size, "%s/%s", folder, call);
    return true;
}

static bool is_scarce(const char* call)
{
    char file[4096];
    return name_file(call, file, sizeof file) && access(file, F_OK) == 0;
}

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

// operator new: once, and the file is removed then.  The exception is the C++ library's.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming): the ABI names it so
void* _Znwm(size_t size)
{
    char file[4096];
    if (name_file("new", file, sizeof file) && access(file, F_OK) == 0 && unlink(file) == 0)
        ((void (*)(void))dlsym(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv"))();
    return ((void* (*)(size_t))dlsym(RTLD_NEXT, "_Znwm"))(size);
}

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the system's are reserved

// epoll_ctl(2), ENOSPC: fs.epoll.max_user_watches of the user is used up.
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event* event)
{
    if (operation == EPOLL_CTL_ADD && is_scarce("epoll_ctl")) {
        errno = ENOSPC;
        return -1;
    }
    return NEXT(epoll_ctl)(epoll, operation, fd, event);
}

// pthread_create(3), EAGAIN: RLIMIT_NPROC, or the cgroup's pids.max.
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                   void* argument)
{
    if (is_scarce("pthread_create"))
        return EAGAIN;
    return NEXT(pthread_create)(thread, attributes, start, argument);
}

// NOLINTEND(readability-inconsistent-declaration-parameter-name)
