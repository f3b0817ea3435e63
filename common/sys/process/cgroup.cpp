// SPDX-License-Identifier: MIT
#include "common/sys/process/cgroup.hpp"

#include "common/sys/syscall.hpp"

#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::sys {

namespace {

UniqueFd open_file(const std::string& folder, const char* name, int flags)
{
    const auto path = folder + "/" + name;
    UniqueFd fd{::open(path.c_str(), flags | O_CLOEXEC)};
    if (!fd)
        throw std::system_error{last_error(), path};
    return fd;
}

} // namespace

Cgroup::Cgroup(std::string folder) : folder_{std::move(folder)}
{
    if (::mkdir(folder_.c_str(), 0755) < 0)
        throw std::system_error{last_error(), folder_};
    try {
        procs_ = open_file(folder_, "cgroup.procs", O_WRONLY);
        kill_ = open_file(folder_, "cgroup.kill", O_WRONLY);
    } catch (...) {
        std::ignore = remove();
        throw;
    }
}

Cgroup::~Cgroup()
{
    std::ignore = remove();
}

bool Cgroup::enter() const noexcept
{
    return ::write(procs_.get(), "0", 1) == 1;
}

std::error_code Cgroup::kill() noexcept
{
    return ::write(kill_.get(), "1", 1) == 1 ? std::error_code{} : last_error();
}

bool Cgroup::remove() noexcept
{
    // Once only: a namesake would be somebody else's.
    is_gone_ = is_gone_ || remove_cgroup(folder_);
    return is_gone_;
}

bool remove_cgroup(const std::string& folder) noexcept
{
    if (::rmdir(folder.c_str()) == 0 || errno == ENOENT)
        return true;
    if (errno != EBUSY) // somebody lives there, or there are others below
        return false;
    try {
        bool has_removed = false;
        for (const auto& entry : std::filesystem::directory_iterator{folder})
            if (entry.is_directory())
                has_removed |= remove_cgroup(entry.path());
        return has_removed && ::rmdir(folder.c_str()) == 0;
    } catch (const std::exception&) { // it is going away under our hands, or memory is short
        return false;
    }
}

} // namespace usher::sys
