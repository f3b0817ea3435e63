// SPDX-License-Identifier: MIT
#include "common/async/start_thread.hpp"

#include "common/sys/process/blocked_signals.hpp"

#include <system_error>
#include <thread>
#include <utility>

namespace usher {

void start_thread(std::function<void()> work)
try {
    const sys::BlockedSignals blocked;
    std::thread{std::move(work)}.detach();
} catch (const std::system_error& e) {
    // EAGAIN also stands for no room for its stack.
    throw std::system_error{e.code(),
                            "no thread can be started, so raise the limit of processes (ulimit -u, "
                            "or pids.max of the cgroup: TasksMax= of systemd) or that of memory "
                            "(ulimit -v)"};
}

} // namespace usher
