// SPDX-License-Identifier: MIT
#include "worker/preload/quiet.hpp"

#include "worker/preload/descriptor.hpp"
#include "worker/preload/inheritance.hpp"
#include "worker/preload/takeover.hpp"

#include <array>
#include <csignal>
#include <ctime>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace usher::preload {

namespace {

/// A duplicate of what stands in for `queue` in this process, for all its descriptors the same.
int stand_in_for(Queue& queue) noexcept
{
    int fd = queue.stand_in_fd.load();
    if (fd < 0) {
        const int fresh = make_quiet();
        queue.stand_in.store(inode_of(fresh));
        if (!queue.stand_in_fd.compare_exchange_strong(fd, fresh)) {
            ::close(fresh); // another thread was faster
            queue.stand_in.store(inode_of(fd));
        } else {
            fd = fresh;
        }
    }
    return ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/// Sends the signal to this process once it has had its time to finish what it has.
void end_later(const Inheritance& all) noexcept
{
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = all.end_signal;
    itimerspec when{};
    when.it_value.tv_sec = static_cast<time_t>(all.end_delay_ms / 1'000);
    when.it_value.tv_nsec = static_cast<long>(all.end_delay_ms % 1'000 * 1'000'000 + 1);
    timer_t timer{};
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ||
        ::timer_settime(timer, 0, &when, nullptr) < 0)
        ::kill(::getpid(), all.end_signal);
}

} // namespace

int make_quiet() noexcept
{
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0)
        return -1;
    return ends[0]; // the other end stays open and silent for as long as this process lives
}

void on_master_gone(const Listening& entry) noexcept
{
    const KeepErrno keep;
    auto& all = inheritance();
    if (const int quiet = stand_in_for(all.queues[entry.queue]); quiet >= 0)
        replace(entry, quiet);

    static constinit std::atomic<bool> done{false};
    if (done.exchange(true))
        return;
    // A process that forked its workers ends them in its own way, and would replace us.
    const pid_t leader = all.page->leader.load();
    if (leader != ::getpid() && leader == ::getppid())
        ::kill(leader, all.end_signal);
    else
        end_later(all);
}

} // namespace usher::preload
