// SPDX-License-Identifier: MIT
#include "worker/preload/epoll_registrations.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace usher::preload {

namespace {

/// The file of `/proc/self/FOLDER` that is about `fd`.
struct ProcPath {
    ProcPath(const char* folder, int fd) noexcept
    {
        std::snprintf(text, sizeof text, "/proc/self/%s/%d", folder, fd);
    }

    char text[64];
};

bool is_epoll(int fd) noexcept
{
    char target[32]{};
    const auto size = ::readlink(ProcPath{"fd", fd}.text, target, sizeof target);
    constexpr char wanted[] = "anon_inode:[eventpoll]";
    return size == sizeof wanted - 1 && std::memcmp(target, wanted, sizeof wanted - 1) == 0;
}

/// Calls `act` for each line of `file`; lines that are too long are cut.
template <typename Act>
void for_each_line(int file, Act act) noexcept
{
    char buffer[1024];
    std::size_t held = 0;
    for (;;) {
        const auto size = ::read(file, buffer + held, sizeof buffer - 1 - held);
        if (size <= 0)
            return;
        held += static_cast<std::size_t>(size);
        buffer[held] = '\0';
        char* line = buffer;
        while (char* const end = std::strchr(line, '\n')) {
            *end = '\0';
            act(line);
            line = end + 1;
        }
        held = static_cast<std::size_t>(buffer + held - line);
        if (held == sizeof buffer - 1)
            held = 0;
        std::memmove(buffer, line, held);
    }
}

/// Calls `act` for each open descriptor; by the system call, because opendir() allocates.
template <typename Act>
void for_each_descriptor(Act act) noexcept
{
    const int folder = ::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return;
    alignas(dirent64) char buffer[2048];
    for (;;) {
        const long size = ::syscall(SYS_getdents64, folder, buffer, sizeof buffer);
        if (size <= 0)
            break;
        for (long at = 0; at < size;) {
            const auto* const entry = reinterpret_cast<const dirent64*>(buffer + at);
            at += entry->d_reclen;
            if (entry->d_name[0] != '.')
                act(std::atoi(entry->d_name));
        }
    }
    ::close(folder);
}

} // namespace

EpollRegistrations::EpollRegistrations(int fd) noexcept : fd_{fd}
{
    // One after the other: there may be room for one descriptor more and not for two.
    std::array<int, std::tuple_size_v<decltype(found_)>> epolls;
    std::size_t epoll_count = 0;
    for_each_descriptor([&](int other) {
        if (epoll_count < epolls.size() && is_epoll(other))
            epolls[epoll_count++] = other;
    });
    for (std::size_t i = 0; i < epoll_count; ++i)
        find_in(epolls[i]);
    for (std::size_t i = 0; i < count_; ++i)
        ::epoll_ctl(found_[i].epoll, EPOLL_CTL_DEL, fd_, nullptr);
}

void EpollRegistrations::find_in(int epoll) noexcept
{
    const int file = ::open(ProcPath{"fdinfo", epoll}.text, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    for_each_line(file, [this, epoll](const char* line) {
        int fd = -1;
        unsigned events = 0;
        unsigned long long data = 0;
        if (count_ == found_.size() ||
            std::sscanf(line, "tfd: %d events: %x data: %llx", &fd, &events, &data) != 3 ||
            fd != fd_)
            return;
        found_[count_++] = {.epoll = epoll, .event = {.events = events, .data = {.u64 = data}}};
    });
    ::close(file);
}

void EpollRegistrations::restore() noexcept
{
    for (std::size_t i = 0; i < count_; ++i)
        ::epoll_ctl(found_[i].epoll, EPOLL_CTL_ADD, fd_, &found_[i].event);
    count_ = 0;
}

} // namespace usher::preload
