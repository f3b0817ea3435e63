// SPDX-License-Identifier: MIT
#include "balancer/process/child_setup.hpp"

#include <array>
#include <cassert>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace usher {

namespace {

/// An ignored signal and a blocked one survive exec().  What came while it was blocked was for the
/// master's group, and is forgotten by ignoring it.
bool reset_signals() noexcept
{
    for (int number = 1; number < NSIG; ++number) { // KILL, STOP and libc's own are refused
        ::signal(number, SIG_IGN);
        ::signal(number, SIG_DFL);
    }
    sigset_t none;
    ::sigemptyset(&none);
    return ::sigprocmask(SIG_SETMASK, &none, nullptr) == 0;
}

bool pass_descriptors(const ChildProcess::Command& command, int kept) noexcept
{
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || ::dup2(null, STDIN_FILENO) < 0)
        return false;
    // Before the numbers from 3 on are overwritten, which these may have.
    if (command.output >= 0 && ::dup2(command.output, STDOUT_FILENO) < 0)
        return false;
    if (command.errors >= 0 && ::dup2(command.errors, STDERR_FILENO) < 0)
        return false;

    // First out of the way, or the second may overwrite what the third still needs.
    const auto& descriptors = command.descriptors;
    std::array<int, ChildProcess::most_descriptors> moved{};
    const auto count = descriptors.size();
    assert(count <= moved.size());
    const int first_free = ChildProcess::first_descriptor + static_cast<int>(count);
    for (std::size_t i = 0; i < count; ++i)
        if ((moved[i] = ::fcntl(descriptors[i], F_DUPFD_CLOEXEC, first_free)) < 0)
            return false;
    for (std::size_t i = 0; i < count; ++i) // dup2() clears close-on-exec
        if (::dup2(moved[i], ChildProcess::first_descriptor + static_cast<int>(i)) < 0)
            return false;

    // Not only by the exec, which may hang: until then clients would not see the end of what the
    // master closes.
    const auto first = static_cast<unsigned>(first_free);
    const auto own = static_cast<unsigned>(kept);
    if (first < own)
        ::close_range(first, own - 1, 0);
    ::close_range(own + 1, ~0U, 0);
    return true;
}

bool write_oom_score_adj(int file, const std::string& text) noexcept
{
    return ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool set_affinity(const std::vector<unsigned long>& mask) noexcept
{
    return ::syscall(SYS_sched_setaffinity, 0, mask.size() * sizeof(unsigned long), mask.data()) ==
           0;
}

/// The kernel drops capabilities by itself only when root becomes somebody else; a master that has
/// them without being root would pass on those that are ambient.
bool change_user(uid_t user) noexcept
{
    const bool changes = user != ::geteuid();
    if (::setresuid(user, user, user) < 0)
        return false;
    return !changes || ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0;
}

/// Last, because a change of user forgets it (prctl(2)).
bool follow(pid_t master, int signal) noexcept
{
    if (::prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) < 0)
        return false;
    if (::getppid() != master) // it has died meanwhile
        ::raise(signal);
    return true;
}

SetupFailure failed(SetupStep step, std::size_t which = 0) noexcept
{
    return {.step = step, .which = static_cast<unsigned>(which), .error = errno};
}

/// What needs privileges, and what must be done while there are some.
std::optional<SetupFailure> apply_limits(const RunAs& run_as) noexcept
{
    // Opened before the limits: the lowest free number may lie above the new one.
    const bool has_score = !run_as.oom_score_adj.empty();
    const int score = has_score ? ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC) : -1;
    if (has_score && score < 0)
        return failed(SetupStep::oom_score);

    for (std::size_t i = 0; i < run_as.limits.size(); ++i) {
        const auto& limit = run_as.limits[i];
        // In C++ the first parameter is an enumeration of glibc's.
        if (::setrlimit(static_cast<__rlimit_resource>(limit.resource), &limit.value) < 0)
            return failed(SetupStep::limits, i);
    }
    if (run_as.nice && ::setpriority(PRIO_PROCESS, 0, *run_as.nice) < 0)
        return failed(SetupStep::nice);
    if (has_score && !write_oom_score_adj(score, run_as.oom_score_adj))
        return failed(SetupStep::oom_score);
    if (!run_as.cpu_mask.empty() && !set_affinity(run_as.cpu_mask))
        return failed(SetupStep::affinity);
    if (run_as.umask)
        ::umask(*run_as.umask);
    return std::nullopt;
}

/// Groups first: without root they cannot be changed any more.
std::optional<SetupFailure> change_identity(const RunAs& run_as) noexcept
{
    if (run_as.groups && ::setgroups(run_as.groups->size(), run_as.groups->data()) < 0)
        return failed(SetupStep::groups);
    if (run_as.group && ::setresgid(*run_as.group, *run_as.group, *run_as.group) < 0)
        return failed(SetupStep::group);
    if (run_as.user && !change_user(*run_as.user))
        return failed(SetupStep::user);
    return std::nullopt;
}

} // namespace

std::optional<SetupFailure> set_up_child(const ChildProcess::Command& command, pid_t master,
                                         int kept) noexcept
{
    // Its own group: Ctrl-C in the terminal reaches the master alone, which then drains.
    if (::setpgid(0, 0) < 0)
        return failed(SetupStep::process_group);
    if (command.cgroup && !command.cgroup->enter()) // while its descriptor has its number
        return failed(SetupStep::cgroup);
    if (!reset_signals())
        return failed(SetupStep::signals);
    if (!pass_descriptors(command, kept))
        return failed(SetupStep::descriptors);
    if (const auto failure = apply_limits(command.run_as))
        return failure;
    if (const auto failure = change_identity(command.run_as))
        return failure;

    // As the new user, so that it enters only what it may.
    if (!command.cwd.empty() && ::chdir(command.cwd.c_str()) < 0)
        return failed(SetupStep::cwd);
    if (command.run_as.no_new_privs && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return failed(SetupStep::no_new_privs);
    if (command.end_signal != 0 && !follow(master, command.end_signal))
        return failed(SetupStep::end_signal);
    return std::nullopt;
}

} // namespace usher
