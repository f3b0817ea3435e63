// SPDX-License-Identifier: MIT
#include "balancer/process/setup_failure.hpp"

#include "balancer/process/program_path.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>

namespace usher {

namespace {

/// A step in words, and what refuses it mostly.
struct Explanation {
    std::string step;
    std::string remedy; ///< for EPERM and EACCES; may be empty
};

std::string group_text(const RunAs& run_as)
{
    return run_as.group_name.empty() ? "the group of user " + quote(run_as.user_name)
                                     : "group " + quote(run_as.group_name);
}

std::string amount(rlim_t value)
{
    return value == RLIM_INFINITY ? "unlimited" : std::to_string(value);
}

std::string limit_text(const RunAs& run_as, unsigned which)
{
    if (which >= run_as.limits.size())
        return "setting a limit";
    const auto& [name, resource, value] = run_as.limits[which];
    return fmt::format("setting the limit {} to {} (hard: {})", quote(name), amount(value.rlim_cur),
                       amount(value.rlim_max));
}

Explanation explain(const SetupFailure& failure, const RunAs& run_as)
{
    constexpr const char* needs_root = "usher must run as root for that";
    switch (failure.step) {
    case SetupStep::none:
    case SetupStep::cwd:
        break; // said otherwise
    case SetupStep::process_group:
        return {"setpgid", ""};
    case SetupStep::cgroup:
        return {"entering its cgroup", ""};
    case SetupStep::signals:
        return {"resetting signals", ""};
    case SetupStep::descriptors:
        return {"passing descriptors", ""};
    case SetupStep::limits:
        return {limit_text(run_as, failure.which),
                "only root can raise a hard limit, and nofile never above fs.nr_open"};
    case SetupStep::nice:
        return {fmt::format("setting nice to {}", run_as.nice.value_or(0)),
                "only root can make it lower"};
    case SetupStep::oom_score:
        return {"setting oom_score_adj to " + run_as.oom_score_adj, "only root can make it lower"};
    case SetupStep::affinity:
        return {"setting cpu_affinity", ""};
    case SetupStep::groups:
        return {"setting the supplementary groups", needs_root};
    case SetupStep::group:
        return {"changing to " + group_text(run_as), needs_root};
    case SetupStep::user:
        return {"changing to user " + quote(run_as.user_name), needs_root};
    case SetupStep::no_new_privs:
        return {"setting no_new_privs", ""};
    case SetupStep::end_signal:
        return {"setting the signal for its master's end", ""};
    }
    return {"a step unknown to this master", ""};
}

std::string in_parentheses(const std::string& remedy)
{
    return remedy.empty() ? "" : " (" + remedy + ")";
}

/// Whom the child could not be, where that may be why something is refused.
std::string who_may(const RunAs& run_as, int error, const char* what)
{
    const bool matters = error == EACCES && !run_as.user_name.empty();
    return matters ? fmt::format("user {} {}", quote(run_as.user_name), what) : "";
}

} // namespace

std::string describe(const SetupFailure& failure, const ChildProcess::Command& command,
                     const std::string& path)
{
    const auto& run_as = command.run_as;
    const char* const reason = std::strerror(failure.error);
    if (failure.step == SetupStep::none)
        return path + ": cannot be executed: " + explain_exec_error(failure.error) +
               in_parentheses(who_may(run_as, failure.error,
                                      "must be allowed to execute it, and to enter every folder "
                                      "on the way to it"));
    if (failure.step == SetupStep::cwd)
        return command.cwd + ": changing to its working directory failed: " + reason +
               in_parentheses(who_may(run_as, failure.error, "must be allowed to enter it"));

    const auto [step, remedy] = explain(failure, run_as);
    if (failure.step == SetupStep::affinity && failure.error == EINVAL)
        return fmt::format("{}: {} failed: usher may use none of these CPUs", path, step);
    const bool is_refused = failure.error == EPERM || failure.error == EACCES;
    return fmt::format("{}: {} failed: {}{}", path, step, reason,
                       is_refused ? in_parentheses(remedy) : "");
}

} // namespace usher
