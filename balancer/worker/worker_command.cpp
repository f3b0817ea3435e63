// SPDX-License-Identifier: MIT
#include "balancer/worker/worker_command.hpp"

#include "balancer/config/units/slot_text.hpp"
#include "balancer/worker/hang_detector.hpp"
#include "common/sys/process/cpus.hpp"
#include "common/wire/environment.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

namespace usher {

namespace {

/// How a service manager speaks to the process it has started.  A worker that has them would speak
/// in the master's name, or take the numbers for its own descriptors.
constexpr std::array<std::string_view, 6> service_variables{
    "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"};

/// What lets whoever has it into the session or the agents of the user who has started the master,
/// or names files that are that one's: nothing for another user's workers.  A name ends with * if
/// all that begin like that are meant.
constexpr std::array<std::string_view, 17> private_variables{"HOME",
                                                             "USER",
                                                             "LOGNAME",
                                                             "SHELL",
                                                             "MAIL",
                                                             "XDG_*",
                                                             "DBUS_*",
                                                             "SSH_*",
                                                             "SUDO_*",
                                                             "GPG_*",
                                                             "KRB5CCNAME",
                                                             "XAUTHORITY",
                                                             "CREDENTIALS_DIRECTORY",
                                                             "INVOCATION_ID",
                                                             "JOURNAL_STREAM",
                                                             "MANAGERPID",
                                                             "SYSTEMD_EXEC_PID"};

bool is_private(std::string_view name)
{
    return std::ranges::any_of(private_variables, [name](std::string_view known) {
        return known.ends_with('*') ? name.starts_with(known.substr(0, known.size() - 1))
                                    : name == known;
    });
}

std::map<std::string, std::string> own_environment(const ResolvedPool& config)
{
    std::map<std::string, std::string> result;
    for (const char* const* variable = ::environ; *variable != nullptr; ++variable) {
        const std::string_view text{*variable};
        const auto equals = text.find('=');
        // An usher below an usher must not pass on the outer one's descriptors, nor one below Node
        // Node's.
        if (equals == std::string_view::npos || text.starts_with("USHER_"))
            continue;
        const auto name = text.substr(0, equals);
        const bool of_node = name.starts_with("NODE_CHANNEL_") || name == "NODE_UNIQUE_ID";
        if (of_node || std::ranges::find(service_variables, name) != service_variables.end())
            continue;
        if (config.account.is_other_user() && is_private(name))
            continue;
        if (!config.run_as.clear_env || name == "PATH")
            result.emplace(name, text.substr(equals + 1));
    }
    return result;
}

/// What all processes of the pool have, for the worker in `slot`.
std::map<std::string, std::string> environment_of(const ResolvedPool& config, unsigned slot)
{
    auto environment = own_environment(config);
    for (const auto* added : {&config.account.variables, &config.file_env})
        for (const auto& [name, value] : *added)
            environment[name] = value;
    for (const auto& [name, value] : config.env)
        environment[name] = fill_slot(value, slot);
    // Python writes to a pipe only when 8 KiB are there, or at its end.
    environment.try_emplace("PYTHONUNBUFFERED", "1");
    return environment;
}

std::vector<std::string> words_of(const std::map<std::string, std::string>& environment)
{
    std::vector<std::string> words;
    for (const auto& [name, value] : environment)
        words.push_back(fmt::format("{}={}", name, value));
    return words;
}

/// What a program needs to tell us what it would tell systemd: sd_notify(3), and
/// sd_watchdog_enabled(3) if the pool listens to that.
void add_notify(std::map<std::string, std::string>& environment, WorkerLink::Equipment& equipment,
                const ResolvedPool& config, const std::string& socket)
{
    environment["NOTIFY_SOCKET"] = socket;
    if (config.ready != Readiness::notify || config.stall_timeout == config.stall_timeout.zero())
        return;
    const auto limit = std::max<std::chrono::microseconds>(config.stall_timeout,
                                                           HangDetector::shortest_heartbeat_limit);
    environment["WATCHDOG_USEC"] = std::to_string(limit.count());
    equipment.pid_variables.emplace_back("WATCHDOG_PID");
}

/// Where the worker in `slot`, from 1, may run.
std::vector<unsigned long> cpu_mask(const AffinityConfig& affinity, unsigned slot)
{
    if (!affinity.by_slot)
        return sys::make_cpu_mask(affinity.cpus);
    const auto usable = sys::own_cpus();
    if (usable.empty())
        return {};
    const unsigned own = usable[(slot - 1) % usable.size()];
    return sys::make_cpu_mask(std::span{&own, 1});
}

} // namespace

ChildProcess::Command make_worker_command(const ResolvedPool& config,
                                          const WorkerIdentity& identity, const WorkerLink& link,
                                          const std::string& notify_socket, int bus)
{
    namespace env = wire::env;
    const auto& run_as = config.run_as;
    auto environment = environment_of(config, identity.slot);
    environment[env::worker_id] = std::to_string(identity.id);
    environment[env::slot] = std::to_string(identity.slot);
    environment[env::generation] = std::to_string(identity.generation);
    environment[env::pool] = identity.pool;

    auto equipment = link.equip(environment, ChildProcess::first_descriptor);
    if (bus >= 0) {
        const auto number = ChildProcess::first_descriptor + equipment.descriptors.size();
        environment[env::bus_fd] = std::to_string(number);
        equipment.descriptors.push_back(bus);
    }
    if (!notify_socket.empty())
        add_notify(environment, equipment, config, notify_socket);
    for (const auto& name : equipment.pid_variables) // the process's own, whatever `env` says
        environment.erase(name);
    std::vector<std::string> words;
    for (const auto& word : config.command)
        words.push_back(fill_slot(word, identity.slot));
    return {
        .program = words.front(),
        .arguments = {words.begin() + 1, words.end()},
        .environment = words_of(environment),
        .pid_variables = std::move(equipment.pid_variables),
        .program_folder = config.program_folder,
        .cwd = config.folder,
        .descriptors = std::move(equipment.descriptors),
        .end_signal = equipment.outlives_master ? config.stop_signal : 0,
        .run_as = run_as,
        .account = config.account,
        .cpu_mask = cpu_mask(run_as.cpu_affinity, identity.slot),
        .check = std::move(equipment.check),
    };
}

ChildProcess::Command make_hook_command(const ResolvedPool& config, unsigned slot,
                                        const std::vector<std::string>& words)
{
    return {
        .program = words.front(),
        .arguments = {words.begin() + 1, words.end()},
        .environment = words_of(environment_of(config, slot)),
        .cwd = config.folder,
        .run_as = config.run_as,
        .account = config.account,
    };
}

} // namespace usher
