// SPDX-License-Identifier: MIT
#include "balancer/process/orphan_reaper.hpp"

#include "common/sys/process/init_process.hpp"
#include "common/sys/syscall.hpp"

#include <csignal>
#include <set>
#include <tuple>

#include <sys/wait.h>

namespace usher {

namespace {

std::set<pid_t> own_children;
bool reaps_orphans = false;

/// waitid(2) without waiting; 0 if there is nobody.
pid_t wait_for(idtype_t type, id_t id, int options) noexcept
{
    siginfo_t info{};
    const int rc =
        sys::retry_on_eintr([&] { return ::waitid(type, id, &info, options | WEXITED | WNOHANG); });
    return rc < 0 ? 0 : info.si_pid;
}

} // namespace

OrphanReaper::OrphanReaper(const boost::asio::any_io_executor& executor) : executor_{executor} {}

OrphanReaper::~OrphanReaper()
{
    close();
}

void OrphanReaper::start()
{
    if (!sys::adopts_orphans())
        return;
    sigset_t ends;
    ::sigemptyset(&ends);
    ::sigaddset(&ends, SIGCHLD);
    ends_.emplace(executor_, ends);
    ends_->keep_receiving([](const Signal&) { reap(); });
    reaps_orphans = true;
    reap(); // there may be some from before
}

void OrphanReaper::close()
{
    if (!ends_)
        return;
    reaps_orphans = false;
    ends_->close();
}

void OrphanReaper::on_own_child(pid_t pid)
{
    own_children.insert(pid);
}

void OrphanReaper::on_own_child_reaped(pid_t pid)
{
    own_children.erase(pid);
    if (reaps_orphans)
        reap();
}

void OrphanReaper::reap() noexcept
{
    for (;;) {
        const auto pid = wait_for(P_ALL, 0, WNOWAIT);
        // One of ours may stand before orphans.  It is about to be reaped, since its pidfd is
        // readable by now, and then we are called again; until then the others can wait.
        if (pid == 0 || own_children.contains(pid))
            return;
        std::ignore = wait_for(P_PID, static_cast<id_t>(pid), 0);
    }
}

} // namespace usher
