// SPDX-License-Identifier: MIT
#include "balancer/dialect/listen_fds/accept_watch.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>

#include <sys/stat.h>
#include <sys/syscall.h>

namespace usher {

namespace fs = std::filesystem;

namespace {

/// An epoll's fdinfo has a line for each registration: `tfd: 5 events: ... ino:1c8b sdev:8`.
bool has_registered(proc::Walk& walk, const std::set<ino_t>& sockets, pid_t process)
{
    bool found = false;
    const auto look = [&](const fs::path& descriptor) {
        std::error_code error;
        if (fs::read_symlink(descriptor, error) != "anon_inode:[eventpoll]")
            return true;
        std::ifstream info{proc::entry(process, "fdinfo") / descriptor.filename()};
        for (std::string word; !found && info >> word;) {
            constexpr std::string_view key = "ino:";
            if (!word.starts_with(key))
                continue;
            found = sockets.contains(std::stoul("0" + word.substr(key.size()), nullptr, 16));
            if (!walk.count())
                return false;
        }
        return !found;
    };
    std::ignore = walk.visit_all(proc::entry(process, "fd"), look);
    return found;
}

/// A blocked thread's `syscall` begins with the number of the call and its first argument.
bool is_in_accept(proc::Walk& walk, const std::set<ino_t>& sockets, pid_t process)
{
    bool found = false;
    const auto look = [&](const fs::path& task) {
        std::ifstream file{task / "syscall"};
        long number = -1;
        unsigned long fd = 0;
        if (!(file >> number >> std::hex >> fd))
            return true;
        bool is_accept = number == SYS_accept4;
#ifdef SYS_accept
        is_accept = is_accept || number == SYS_accept;
#endif
        struct stat status {};
        found = is_accept &&
                ::stat((proc::entry(process, "fd") / std::to_string(fd)).c_str(), &status) == 0 &&
                sockets.contains(status.st_ino);
        return !found;
    };
    std::ignore = walk.visit_all(proc::entry(process, "task"), look);
    return found;
}

} // namespace

bool waits_on(const std::set<ino_t>& sockets, pid_t process, proc::Walk walk)
{
    const auto family = walk.family_of(process);
    return family && std::ranges::any_of(*family, [&](pid_t member) {
               return has_registered(walk, sockets, member) || is_in_accept(walk, sockets, member);
           });
}

} // namespace usher
