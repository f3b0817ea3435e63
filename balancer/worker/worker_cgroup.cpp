// SPDX-License-Identifier: MIT
#include "balancer/worker/worker_cgroup.hpp"

#include "common/sys/process/own_cgroup.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <unistd.h>

namespace usher {

namespace {

/// The master whose pid stands in `name`; 0 if it is no name of ours.
pid_t master_of(const std::string& name)
{
    pid_t pid = 0;
    char next = 0;
    const bool is_ours = std::sscanf(name.c_str(), "usher-%9d%c", &pid, &next) == 2 && next == '-';
    return is_ours && pid > 0 ? pid : 0;
}

/// We have made none yet, so that our own number is that of somebody before us.
bool is_gone(pid_t master)
{
    return master == ::getpid() || (::kill(master, 0) < 0 && errno == ESRCH);
}

} // namespace

std::shared_ptr<sys::Cgroup> make_worker_cgroup(CgroupMode mode, const std::string& folder,
                                                const WorkerIdentity& identity,
                                                std::string& trouble)
{
    if (mode == CgroupMode::off || (mode == CgroupMode::automatic && !sys::is_delegated(folder)))
        return nullptr;
    try {
        if (folder.empty())
            throw std::runtime_error{"no cgroup file system (version 2) is mounted"};
        return std::make_shared<sys::Cgroup>(fmt::format(
            "{}/usher-{}-{}-{}-{}", folder, ::getpid(), identity.pool, identity.slot, identity.id));
    } catch (const std::exception& error) {
        trouble = error.what();
    }
    if (mode == CgroupMode::on)
        throw std::runtime_error{
            "no cgroup can be made for it: " + trouble +
            R"(; have systemd delegate one (Delegate=yes), or set "cgroup" to "auto")"};
    return nullptr;
}

void remove_leftover_cgroups(const std::string& folder) noexcept
{
    try {
        for (const auto& entry : std::filesystem::directory_iterator{folder})
            if (const auto master = master_of(entry.path().filename().native());
                master != 0 && is_gone(master))
                std::ignore = sys::remove_cgroup(entry.path());
    } catch (const std::exception&) { // nothing there to be seen, and so nothing to be removed
    }
}

} // namespace usher
