// SPDX-License-Identifier: MIT
#include "balancer/process/child_setup.hpp"

#include "balancer/config/units/resource_name.hpp"
#include "balancer/process/program_path.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <iterator>

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace usher {

namespace {

/// The child between fork() and exec(): nothing here may look up a name or ask for memory.
struct Child {
    const ChildProcess::Command& command;
    const RunAsConfig& run_as;
    pid_t master;
    int kept; ///< of the master's descriptors
    bool is_other_user;
    unsigned limit = 0; ///< the one that is being set
};

/// A group of its own: Ctrl-C in the terminal reaches the master alone, which then drains.  Another
/// user gets a session as well, so that it cannot open /dev/tty, to type there or to take it over.
/// Who is one of us could do that anyway, and a session has a share of the CPU for itself
/// (sched(7), autogroups).
bool lead_group(Child& child) noexcept
{
    return child.is_other_user ? ::setsid() >= 0 : ::setpgid(0, 0) == 0;
}

/// While its descriptor has its number.
bool enter_cgroup(Child& child) noexcept
{
    return !child.command.cgroup || child.command.cgroup->enter();
}

/// An ignored signal and a blocked one survive exec().  What came while it was blocked was for the
/// master's group, and is forgotten by ignoring it.
bool reset_signals(Child& /*child*/) noexcept
{
    for (int number = 1; number < NSIG; ++number) { // KILL, STOP and libc's own are refused
        ::signal(number, SIG_IGN);
        ::signal(number, SIG_DFL);
    }
    sigset_t none;
    ::sigemptyset(&none);
    return ::sigprocmask(SIG_SETMASK, &none, nullptr) == 0;
}

bool pass_descriptors(Child& child) noexcept
{
    const auto& command = child.command;
    const int input =
        command.input >= 0 ? command.input : ::open("/dev/null", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (input < 0 || ::dup2(input, STDIN_FILENO) < 0)
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
    const auto own = static_cast<unsigned>(child.kept);
    if (first < own)
        ::close_range(first, own - 1, 0);
    ::close_range(own + 1, ~0U, 0);
    return true;
}

/// Before the limits: the lowest free number may lie above the new one.
bool set_oom_score(Child& child) noexcept
{
    if (!child.run_as.oom_score_adj)
        return true;
    const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_NOCTTY | O_CLOEXEC);
    std::array<char, 12> text;
    const auto size =
        std::to_chars(text.begin(), text.end(), *child.run_as.oom_score_adj).ptr - text.begin();
    return file >= 0 && ::write(file, text.data(), static_cast<std::size_t>(size)) == size;
}

rlim_t to_amount(std::uint64_t amount) noexcept
{
    return amount == LimitConfig::unlimited ? RLIM_INFINITY : static_cast<rlim_t>(amount);
}

bool set_limits(Child& child) noexcept
{
    for (const auto& [name, limit] : child.run_as.rlimits) {
        const rlimit value{.rlim_cur = to_amount(limit.soft), .rlim_max = to_amount(limit.hard)};
        // In C++ the first parameter is an enumeration of glibc's.
        const auto resource = static_cast<__rlimit_resource>(*value_of(resource_names, name));
        if (::setrlimit(resource, &value) < 0)
            return false;
        ++child.limit;
    }
    return true;
}

bool set_nice(Child& child) noexcept
{
    return !child.run_as.nice || ::setpriority(PRIO_PROCESS, 0, *child.run_as.nice) == 0;
}

bool set_affinity(Child& child) noexcept
{
    const auto& mask = child.command.cpu_mask;
    return mask.empty() || ::syscall(SYS_sched_setaffinity, 0, mask.size() * sizeof(unsigned long),
                                     mask.data()) == 0;
}

bool set_umask(Child& child) noexcept
{
    if (child.run_as.umask)
        ::umask(*child.run_as.umask);
    return true;
}

bool set_groups(Child& child) noexcept
{
    const auto& groups = child.command.account.groups;
    return !groups || ::setgroups(groups->size(), groups->data()) == 0;
}

bool change_group(Child& child) noexcept
{
    const auto& group = child.command.account.group;
    return !group || ::setresgid(*group, *group, *group) == 0;
}

/// The session's keyring holds the secrets of whoever has started the master.  While we are that
/// one still, because others may have few keyrings only.
bool leave_keyring(Child& child) noexcept
{
    // Where keyrings are missing or forbidden, they are for the worker, too.
    return !child.is_other_user ||
           ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) >= 0 || errno == ENOSYS ||
           errno == EPERM;
}

bool change_user(Child& child) noexcept
{
    const auto& user = child.command.account.user;
    if (!child.run_as.ambient_capabilities.empty() && ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return false;
    return !user || ::setresuid(*user, *user, *user) == 0;
}

/// Those that the pool names, and no others of the master's: the kernel drops them by itself only
/// when root becomes somebody else.  The workers of root's own are root anyway.
bool set_capabilities(Child& child) noexcept
{
    const auto& wanted = child.run_as.ambient_capabilities;
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
    if (::syscall(SYS_capget, &header, sets.data()) < 0)
        return false;
    for (auto& set : sets)
        set.inheritable = 0;
    for (const auto number : wanted)
        sets[number / 32].inheritable |= 1U << number % 32;
    if (child.is_other_user)
        for (auto& set : sets)
            set.effective = set.permitted = set.inheritable;
    if (::syscall(SYS_capset, &header, sets.data()) < 0 ||
        ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return false;
    return std::ranges::all_of(wanted, [](unsigned number) {
        return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) == 0;
    });
}

bool change_folder(Child& child) noexcept
{
    return child.command.cwd.empty() || ::chdir(child.command.cwd.c_str()) == 0;
}

bool set_no_new_privs(Child& child) noexcept
{
    return !child.run_as.no_new_privs.value_or(child.is_other_user) ||
           ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

bool set_end_signal(Child& child) noexcept
{
    const int signal = child.command.end_signal;
    if (signal != 0 && ::prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) < 0)
        return false;
    if (signal != 0 && ::getppid() != child.master) // it has died meanwhile
        ::raise(signal);
    return true;
}

struct Step {
    bool (*take)(Child& child) noexcept; ///< false: failed, and errno says why
    const char* name;                    ///< with names of what it is about, see describe()
    const char* remedy;                  ///< for EPERM and EACCES; may be empty
};

constexpr const char* needs_root = "usher must run as root for that";
constexpr const char* only_lower = "only root can make it lower";

/// What is done between fork() and exec(), in this order.  What needs privileges comes before the
/// user changes, and groups come first of that: without root they cannot be changed any more.  The
/// folder is entered as the new user, so only if that may.  A change of user forgets the end signal
/// (prctl(2)).
constexpr std::array<Step, 17> steps{{
    {lead_group, "leaving the group of usher", ""},
    {enter_cgroup, "entering its cgroup", ""},
    {reset_signals, "resetting signals", ""},
    {pass_descriptors, "passing descriptors", ""},
    {set_oom_score, "setting oom_score_adj to {score}", only_lower},
    {set_limits, "setting the limit {limit}",
     "only root can raise a hard limit, and nofile never above fs.nr_open"},
    {set_nice, "setting nice to {nice}", only_lower},
    {set_affinity, "setting cpu_affinity", ""},
    {set_umask, "setting umask", ""},
    {set_groups, "setting the supplementary groups", needs_root},
    {change_group, "changing to {group}", needs_root},
    {leave_keyring, "joining a new session keyring", ""},
    {change_user, "changing to user {user}", needs_root},
    {set_capabilities, "setting ambient_capabilities", "usher must have them itself"},
    {change_folder, "changing to its working directory", ""},
    {set_no_new_privs, "setting no_new_privs", ""},
    {set_end_signal, "setting the signal for its master's end", ""},
}};

std::string limit_text(const RunAsConfig& run_as, unsigned which)
{
    const auto amount = [](std::uint64_t value) {
        return value == LimitConfig::unlimited ? "unlimited" : std::to_string(value);
    };
    if (which >= run_as.rlimits.size())
        return {};
    const auto& [name, limit] = *std::next(run_as.rlimits.begin(), which);
    return fmt::format("{} to {} (hard: {})", quote(name), amount(limit.soft), amount(limit.hard));
}

std::string in_parentheses(const std::string& remedy)
{
    return remedy.empty() ? "" : " (" + remedy + ")";
}

/// Whom the child could not be, where that may be why something is refused.
std::string who_may(const RunAsConfig& run_as, int error, const char* what)
{
    const bool matters = error == EACCES && !run_as.user.empty();
    return matters ? fmt::format("user {} {}", quote(run_as.user), what) : "";
}

} // namespace

std::optional<SetupFailure> set_up_child(const ChildProcess::Command& command, pid_t master,
                                         int kept) noexcept
{
    Child child{.command = command,
                .run_as = command.run_as,
                .master = master,
                .kept = kept,
                .is_other_user = command.account.is_other_user()};
    for (unsigned i = 0; i < steps.size(); ++i)
        if (!steps[i].take(child))
            return SetupFailure{.step = i, .limit = child.limit, .error = errno};
    return std::nullopt;
}

std::string describe(const SetupFailure& failure, const ChildProcess::Command& command,
                     const std::string& path)
{
    const auto& run_as = command.run_as;
    if (failure.step >= steps.size())
        return path + ": cannot be executed: " + explain_exec_error(failure.error) +
               in_parentheses(who_may(run_as, failure.error,
                                      "must be allowed to execute it, and to enter every folder "
                                      "on the way to it"));

    const auto& step = steps[failure.step];
    const bool is_folder = step.take == change_folder;
    const bool is_refused = failure.error == EPERM || failure.error == EACCES;
    const auto name = fmt::format(
        fmt::runtime(step.name), fmt::arg("score", run_as.oom_score_adj.value_or(0)),
        fmt::arg("limit", limit_text(run_as, failure.limit)),
        fmt::arg("nice", run_as.nice.value_or(0)), fmt::arg("user", quote(run_as.user)),
        fmt::arg("group", run_as.group.empty() ? "the group of user " + quote(run_as.user)
                                               : "group " + quote(run_as.group)));
    const std::string reason = step.take == set_affinity && failure.error == EINVAL
                                   ? "usher may use none of these CPUs"
                                   : std::strerror(failure.error);
    const auto remedy = is_folder ? who_may(run_as, failure.error, "must be allowed to enter it")
                                  : std::string{is_refused ? step.remedy : ""};
    return fmt::format("{}: {} failed: {}{}", is_folder ? command.cwd : path, name, reason,
                       in_parentheses(remedy));
}

} // namespace usher
