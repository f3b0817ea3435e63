// SPDX-License-Identifier: MIT
#include "balancer/supervise/worker_command.hpp"

#include "common/wire/environment.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>

#include <unistd.h>

namespace usher {

namespace {

/// How a service manager speaks to the process it has started.  A worker that has them would speak
/// in the master's name, or take the numbers for its own descriptors.
constexpr std::array<std::string_view, 6> service_variables{
    "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"};

std::map<std::string, std::string> own_environment(bool only_path)
{
    std::map<std::string, std::string> result;
    for (const char* const* variable = ::environ; *variable != nullptr; ++variable) {
        const std::string_view text{*variable};
        const auto equals = text.find('=');
        // An usher below an usher must not pass on the outer one's descriptors.
        if (equals == std::string_view::npos || text.starts_with("USHER_"))
            continue;
        const auto name = text.substr(0, equals);
        if (std::ranges::find(service_variables, name) != service_variables.end())
            continue;
        if (!only_path || name == "PATH")
            result.emplace(name, text.substr(equals + 1));
    }
    return result;
}

} // namespace

ChildProcess::Command make_worker_command(const PoolConfig& config, const WorkerIdentity& identity,
                                          WorkerDescriptors descriptors)
{
    namespace env = wire::env;
    constexpr int first = ChildProcess::first_descriptor;

    auto environment = own_environment(config.run_as.clear_env);
    for (const auto& [name, value] : config.env)
        environment[name] = value;
    environment[env::protocol] = std::to_string(env::protocol_version);
    environment[env::handoff_fd] = std::to_string(first);
    environment[env::control_fd] = std::to_string(first + 1);
    environment[env::scoreboard_fd] = std::to_string(first + 2);
    environment[env::worker_id] = std::to_string(identity.id);
    environment[env::slot] = std::to_string(identity.slot);
    environment[env::generation] = std::to_string(identity.generation);
    environment[env::pool] = identity.pool;

    ChildProcess::Command command{
        .program = config.command.front(),
        .arguments = {config.command.begin() + 1, config.command.end()},
        .environment = {},
        .cwd = config.cwd,
        .descriptors = {descriptors.handoff, descriptors.control, descriptors.scoreboard},
        .output = descriptors.output,
        .errors = descriptors.errors,
        .run_as = make_run_as(config.run_as, identity.slot),
    };
    for (const auto& [name, value] : environment)
        command.environment.push_back(name + "=" + value);
    return command;
}

} // namespace usher
