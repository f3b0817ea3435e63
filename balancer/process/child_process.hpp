// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/account_ids.hpp"
#include "balancer/config/run_as_config.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/process/cgroup.hpp"
#include "common/sys/process/exit_status.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace usher {

/// A running child, leader of a process group of its own.
///
/// The destructor kills the group, so a child does not outlive its owner.  It waits for nothing:
/// one that hangs in the kernel, where no signal reaches it, is reaped when it ends; see
/// LateReaper. Boost.Process stays behind this class.
class ChildProcess {
public:
    struct Command {
        std::string program; ///< without a slash: found by PATH, as the environment has it
        std::vector<std::string> arguments;
        std::vector<std::string> environment;     ///< all of it, "NAME=value"
        std::vector<std::string> pid_variables{}; ///< more names; the value is the child's pid
        std::string program_folder{}; ///< of an absolute `program`, before a link led elsewhere
        std::string cwd;              ///< empty: ours

        /// Become 3, 4, 5, ... of the child; the originals stay the caller's.
        std::vector<int> descriptors;

        int input = -1;  ///< becomes its standard input; -1: /dev/null
        int output = -1; ///< becomes its standard output; -1: ours
        int errors = -1; ///< becomes its standard error; -1: ours

        int end_signal = 0; ///< it gets this when we die; 0: nothing

        RunAsConfig run_as;
        AccountIds account;                    ///< that it becomes
        std::vector<unsigned long> cpu_mask{}; ///< as sched_setaffinity(2) takes it; empty: ours

        std::shared_ptr<sys::Cgroup> cgroup; ///< starts and is killed in it; null: ours

        /// Looks at the program's file first, on a helper thread; throws to refuse it.
        std::function<void(const std::string& file)> check{};
    };

    /// The number of the first of Command::descriptors in the child, and how many may be given:
    /// more than any dialect has, and the bus.
    static constexpr int first_descriptor = 3;
    static constexpr std::size_t most_descriptors = 128;

    /// Starts `command`: standard input, output and errors as it says, no other descriptor, no
    /// blocked or ignored signal.  Returns when the program is being executed.
    ///
    /// Disks may hang: when `deadline` expires or is cancelled, nothing is left of the attempt.
    /// One that was called off, so that `deadline` expires at time_point::min(), says nothing of
    /// disks. Throws std::runtime_error, then and when the program cannot be executed: it names the
    /// program, the step and the reason.
    [[nodiscard]] static boost::asio::awaitable<std::unique_ptr<ChildProcess>>
    start(Command command, boost::asio::steady_timer& deadline);

    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;
    ~ChildProcess();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    /// Sends `signal` to the child; does nothing once it has ended.
    void signal(int signal) noexcept;

    /// The same to all of its process group, also when it has ended and only others are left.
    void signal_group(int signal) noexcept;

    /// True once it has ended, although others of its group may live on: their group is nobody
    /// else's until reap().
    [[nodiscard]] bool has_ended() noexcept;

    /// Sends SIGKILL to the child and to what else is left of its group and its cgroup.
    void kill_group() noexcept;

    /// Kills it, and leaves it to whoever reaps it when it ends: here it counts as reaped.
    void give_up() noexcept;

    /// Calls `handler` once when the child has ended.  `handler` keeps alive what it needs:
    /// it may be queued already when this object is destroyed.
    void async_wait(std::function<void()> handler);

    /// The exit status once the child has ended.  What else is left of its group and its
    /// cgroup is killed, and the cgroup removed.
    [[nodiscard]] std::optional<sys::ExitStatus> reap() noexcept;

private:
    /// Owns the child `pid`, also if it throws.
    ChildProcess(const boost::asio::any_io_executor& executor, pid_t pid,
                 std::shared_ptr<sys::Cgroup> cgroup);

    pid_t pid_;
    std::shared_ptr<sys::Cgroup> cgroup_;
    boost::asio::posix::stream_descriptor pidfd_;
    bool reaped_ = false;
};

} // namespace usher
