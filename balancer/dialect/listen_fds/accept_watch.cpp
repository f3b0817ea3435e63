// SPDX-License-Identifier: MIT
#include "balancer/dialect/listen_fds/accept_watch.hpp"

#include "balancer/dialect/proc.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include <sys/stat.h>
#include <sys/syscall.h>

namespace usher {

namespace fs = std::filesystem;

namespace {

/// An epoll's fdinfo has a line for each registration: `tfd: 5 events: ... ino:1c8b sdev:8`.
bool has_registered(const std::set<ino_t>& sockets, pid_t process)
{
    std::error_code error;
    for (const auto& entry : fs::directory_iterator{proc::entry(process, "fd"), error}) {
        if (fs::read_symlink(entry.path(), error) != "anon_inode:[eventpoll]")
            continue;
        std::ifstream info{proc::entry(process, "fdinfo") / entry.path().filename()};
        for (std::string word; info >> word;) {
            constexpr std::string_view key = "ino:";
            if (word.starts_with(key) &&
                sockets.contains(std::stoul("0" + word.substr(key.size()), nullptr, 16)))
                return true;
        }
    }
    return false;
}

/// A blocked thread's `syscall` begins with the number of the call and its first argument.
bool is_in_accept(const std::set<ino_t>& sockets, pid_t process)
{
    std::error_code error;
    for (const auto& task : fs::directory_iterator{proc::entry(process, "task"), error}) {
        std::ifstream file{task.path() / "syscall"};
        long number = -1;
        unsigned long fd = 0;
        if (!(file >> number >> std::hex >> fd))
            continue;
        bool is_accept = number == SYS_accept4;
#ifdef SYS_accept
        is_accept = is_accept || number == SYS_accept;
#endif
        struct stat status {};
        if (is_accept &&
            ::stat((proc::entry(process, "fd") / std::to_string(fd)).c_str(), &status) == 0 &&
            sockets.contains(status.st_ino))
            return true;
    }
    return false;
}

} // namespace

bool waits_on(const std::set<ino_t>& sockets, pid_t process)
{
    return std::ranges::any_of(proc::family_of(process), [&](pid_t member) {
        return has_registered(sockets, member) || is_in_accept(sockets, member);
    });
}

} // namespace usher
