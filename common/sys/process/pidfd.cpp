// SPDX-License-Identifier: MIT
#include "common/sys/process/pidfd.hpp"

#include "common/sys/syscall.hpp"

#include <sys/wait.h>

extern "C" { // glibc 2.36 forgot it in this header
#include <sys/pidfd.h>
}

namespace usher::sys {

namespace {

/// waitid(2) on the pidfd; false while the child runs.
bool wait_for(int pidfd, siginfo_t& info, int options) noexcept
{
    info = {};
    const int rc = retry_on_eintr(
        [&] { return ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, options | WNOHANG); });
    return rc == 0 && info.si_pid != 0;
}

} // namespace

UniqueFd open_pidfd(pid_t pid)
{
    UniqueFd fd{::pidfd_open(pid, 0)}; // close-on-exec by definition
    if (!fd)
        throw_last_error("pidfd_open");
    return fd;
}

std::error_code send_signal(int pidfd, int signal) noexcept
{
    return ::pidfd_send_signal(pidfd, signal, nullptr, 0) < 0 ? last_error() : std::error_code{};
}

bool has_ended(int pidfd) noexcept
{
    siginfo_t info;
    return wait_for(pidfd, info, WEXITED | WNOWAIT);
}

std::optional<ExitStatus> reap(int pidfd) noexcept
{
    siginfo_t info;
    if (!wait_for(pidfd, info, WEXITED))
        return std::nullopt;
    return ExitStatus{.by_signal = info.si_code != CLD_EXITED, .code = info.si_status};
}

} // namespace usher::sys
