// SPDX-License-Identifier: MIT
//
// Holds up calls of the usher it is preloaded into, as a network disk or a name server does that
// does not answer: while there is a file $HOLD_CALLS/CALL.SUBJECT, the call waits.  SUBJECT is the
// last part of the path, or the name.  Where a call begins to wait, it makes a file with `.held`
// behind that name.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#undef _FILE_OFFSET_BITS // which gives open() the name of open64()
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

static int exists(const char* path)
{
    return syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
}

static void hold(const char* call, const char* subject)
{
    const char* const folder = getenv("HOLD_CALLS");
    if (folder == NULL || subject == NULL || strcmp(program_invocation_short_name, "usher") != 0)
        return;
    const char* const slash = strrchr(subject, '/');
    char file[4096];
    char held[4096 + 8];
    snprintf(file, sizeof file, "%s/%s.%s", folder, call, slash != NULL ? slash + 1 : subject);
    if (!exists(file))
        return;
    snprintf(held, sizeof held, "%s.held", file);
    syscall(SYS_close, syscall(SYS_openat, AT_FDCWD, held, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    while (exists(file))
        usleep(1000);
}

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the system's are reserved

int execve(const char* path, char* const arguments[], char* const environment[])
{
    hold("execve", path);
    return NEXT(execve)(path, arguments, environment);
}

int access(const char* path, int mode)
{
    hold("access", path);
    return NEXT(access)(path, mode);
}

int inotify_add_watch(int fd, const char* path, uint32_t mask)
{
    hold("inotify_add_watch", path);
    return NEXT(inotify_add_watch)(fd, path, mask);
}

int unlink(const char* path)
{
    hold("unlink", path);
    return NEXT(unlink)(path);
}

int getaddrinfo(const char* host, const char* port, const struct addrinfo* hints,
                struct addrinfo** result)
{
    hold("getaddrinfo", host);
    return NEXT(getaddrinfo)(host, port, hints, result);
}

int getpwnam_r(const char* name, struct passwd* entry, char* buffer, size_t size,
               struct passwd** result)
{
    hold("getpwnam_r", name);
    return NEXT(getpwnam_r)(name, entry, buffer, size, result);
}

#define HOLD_OPEN(name)                                                                            \
    int name(const char* path, int flags, ...)                                                     \
    {                                                                                              \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;                     \
        va_end(more);                                                                              \
        hold("open", path);                                                                        \
        return NEXT(name)(path, flags, mode);                                                      \
    }
HOLD_OPEN(open)
HOLD_OPEN(open64)

#define HOLD_OPENAT(name)                                                                          \
    int name(int folder, const char* path, int flags, ...)                                         \
    {                                                                                              \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;                     \
        va_end(more);                                                                              \
        hold("open", path);                                                                        \
        return NEXT(name)(folder, path, flags, mode);                                              \
    }
HOLD_OPENAT(openat)
HOLD_OPENAT(openat64)

int close(int fd)
{
    char link[32];
    char path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const long size = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (size > 0) {
        path[size] = '\0';
        if (path[0] == '/')
            hold("close", path);
    }
    return (int)syscall(SYS_close, fd);
}

#define HOLD_FOPEN(name)                                                                           \
    FILE* name(const char* path, const char* mode)                                                 \
    {                                                                                              \
        hold("open", path);                                                                        \
        return NEXT(name)(path, mode);                                                             \
    }
HOLD_FOPEN(fopen)
HOLD_FOPEN(fopen64)

// NOLINTEND(readability-inconsistent-declaration-parameter-name)
