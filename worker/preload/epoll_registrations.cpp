// SPDX-License-Identifier: MIT
#include "worker/preload/epoll_registrations.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace usher::preload {

namespace {

/// `folder` and `number` as a path, without an allocation.
class Path {
public:
    Path(const char* folder, unsigned number) noexcept
    {
        char digits[12];
        std::size_t count = 0;
        do {
            digits[count++] = static_cast<char>('0' + number % 10);
            number /= 10;
        } while (number > 0);
        char* out = text_ + std::strlen(::strcpy(text_, folder));
        while (count > 0)
            *out++ = digits[--count];
        *out = '\0';
    }

    [[nodiscard]] const char* text() const noexcept { return text_; }

private:
    char text_[64];
};

bool is_epoll(int fd) noexcept
{
    char target[32]{};
    const auto size =
        ::readlink(Path{"/proc/self/fd/", static_cast<unsigned>(fd)}.text(), target, sizeof target);
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

/// The number behind `name` in `line`, in base `base`; `otherwise` if it is not there.
unsigned long long value_of(const char* line, const char* name, int base,
                            unsigned long long otherwise) noexcept
{
    const char* const found = std::strstr(line, name);
    return found == nullptr ? otherwise : std::strtoull(found + std::strlen(name), nullptr, base);
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
    const int file = ::open(Path{"/proc/self/fdinfo/", static_cast<unsigned>(epoll)}.text(),
                            O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    for_each_line(file, [this, epoll](const char* line) {
        constexpr auto none = ~0ULL;
        if (std::strncmp(line, "tfd:", 4) != 0 || count_ == found_.size() ||
            value_of(line, "tfd:", 10, none) != static_cast<unsigned long long>(fd_))
            return;
        auto& registration = found_[count_++];
        registration.epoll = epoll;
        registration.event.events = static_cast<std::uint32_t>(value_of(line, "events:", 16, 0));
        registration.event.data.u64 = value_of(line, "data:", 16, 0);
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
