// SPDX-License-Identifier: MIT
#include "worker/preload/quiet.hpp"

#include "worker/preload/descriptor.hpp"
#include "worker/preload/inheritance.hpp"
#include "worker/preload/takeover.hpp"

#include <csignal>
#include <ctime>

#include <sys/socket.h>
#include <unistd.h>

namespace usher::preload {

namespace {

/// Closes what led to the master: in a full descriptor table it makes the room that falling silent
/// takes.
void close_inherited(const Inheritance& all) noexcept
{
    if (is_there(all.control))
        ::close(all.control.fd);
    for (const auto& queue : all.queues)
        if (is_there(queue.socket))
            ::close(queue.socket.fd);
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

/// Tells the program to end.
void end(const Inheritance& all) noexcept
{
    // A process that forked its workers ends them in its own way, and would replace us.
    const pid_t leader = all.page->leader.load();
    if (leader != ::getpid() && leader == ::getppid())
        ::kill(leader, all.end_signal);
    else
        end_later(all);
}

} // namespace

int make_quiet() noexcept
{
    // Nobody can send to a socket without a name; of a stream socket, poll() would say that it has
    // hung up.
    return ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

int stand_in_for(Queue& queue) noexcept
{
    int fd = queue.stand_in_fd.load();
    if (fd < 0) {
        const int fresh = make_quiet();
        if (fresh < 0)
            return -1;
        if (queue.stand_in_fd.compare_exchange_strong(fd, fresh))
            fd = fresh;
        else
            ::close(fresh); // another thread was faster
    }
    queue.stand_in.store(inode_of(fd));
    return fd;
}

bool on_master_gone(const Listening& entry) noexcept
{
    auto& all = inheritance();
    auto& queue = all.queues[entry.queue];
    if (inode_of(entry.fd.load()) == queue.stand_in.load())
        return false;

    static constinit std::atomic<bool> known{false};
    const bool is_first = !known.exchange(true); // closing twice would close somebody else's
    if (is_first)
        close_inherited(all);
    const int quiet = stand_in_for(queue);
    if (quiet >= 0)
        replace(entry, quiet);
    if (is_first)
        end(all);
    return quiet >= 0;
}

} // namespace usher::preload
