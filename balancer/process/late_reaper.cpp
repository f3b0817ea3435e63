// SPDX-License-Identifier: MIT
#include "balancer/process/late_reaper.hpp"

#include "balancer/process/orphan_reaper.hpp"
#include "common/async/back_off.hpp"
#include "common/async/sleep_for.hpp"
#include "common/async/spawn.hpp"
#include "common/sys/syscall.hpp"

#include <chrono>
#include <exception>
#include <utility>

#include <sys/wait.h>

namespace asio = boost::asio;

namespace usher {

namespace {

using namespace std::chrono_literals;

asio::awaitable<void> remove_when_empty(std::shared_ptr<sys::Cgroup> cgroup)
{
    const auto patience = std::chrono::steady_clock::now() + 5s;
    for (BackOff pause{1ms, 100ms};
         !cgroup->remove() && std::chrono::steady_clock::now() < patience;)
        co_await sleep_for(pause.next());
}

} // namespace

void LateReaper::take(pid_t pid, asio::posix::stream_descriptor pidfd,
                      std::shared_ptr<sys::Cgroup> cgroup) noexcept
{
    reap_ended();
    if (!is_open_)
        return;
    try {
        auto& child = children_.emplace_back(
            Child{.pid = pid, .pidfd = std::move(pidfd), .cgroup = std::move(cgroup)});
        if (child.pidfd.is_open())
            child.pidfd.async_wait(asio::posix::stream_descriptor::wait_read,
                                   [this](const boost::system::error_code& cancelled) {
                                       if (!cancelled)
                                           reap_ended();
                                   });
    } catch (const std::exception&) { // NOLINT(bugprone-empty-catch)
        // There is no memory: it stays a zombie.
    }
}

void LateReaper::remove(const asio::any_io_executor& executor,
                        std::shared_ptr<sys::Cgroup> cgroup) noexcept
{
    if (!cgroup || cgroup->remove())
        return;
    try {
        spawn(executor, remove_when_empty(std::move(cgroup)));
    } catch (const std::exception&) { // NOLINT(bugprone-empty-catch)
        // Its destructor tries again.
    }
}

void LateReaper::reap_ended() noexcept
{
    for (auto child = children_.begin(); child != children_.end();) {
        // While it is not reaped, nobody else can get its number.
        const auto reaped =
            sys::retry_on_eintr([&] { return ::waitpid(child->pid, nullptr, WNOHANG); });
        if (reaped == 0) {
            ++child;
            continue;
        }
        OrphanReaper::on_own_child_reaped(child->pid);
        remove(child->pidfd.get_executor(), std::move(child->cgroup));
        child = children_.erase(child);
    }
}

void LateReaper::abandon() noexcept
{
    is_open_ = false;
    children_.clear();
}

} // namespace usher
