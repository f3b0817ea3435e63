// SPDX-License-Identifier: MIT
#include "common/sys/process/init_process.hpp"

#include <csignal>

#include <sys/prctl.h>
#include <unistd.h>

namespace usher::sys {

bool adopts_orphans() noexcept
{
    int is_subreaper = 0;
    return ::getpid() == 1 ||
           (::prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper) == 0 && is_subreaper != 0);
}

void hold_signals_as_init() noexcept
{
    if (::getpid() != 1)
        return;
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

} // namespace usher::sys
