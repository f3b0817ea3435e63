// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>

#include <pthread.h>

namespace usher::sys {

/// Blocks every signal of this thread for a scope.  Threads and processes that begin in it have
/// them blocked from their birth on.
class BlockedSignals {
public:
    BlockedSignals() noexcept
    {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;
    ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

} // namespace usher::sys
