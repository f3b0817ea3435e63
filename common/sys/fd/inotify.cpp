// SPDX-License-Identifier: MIT
#include "common/sys/fd/inotify.hpp"

#include "common/sys/syscall.hpp"

#include <algorithm>
#include <cstring>

#include <sys/inotify.h>
#include <unistd.h>

namespace usher::sys {

UniqueFd make_inotify()
{
    UniqueFd fd{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
    if (!fd)
        throw_last_error("inotify_init1");
    return fd;
}

std::error_code add_folder_watch(int inotify, const std::string& folder, int& watch)
{
    // Not IN_MODIFY: who writes a file that stays open, such as a log, would never have done.
    constexpr std::uint32_t mask = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO |
                                   IN_DELETE | IN_ONLYDIR | IN_EXCL_UNLINK;
    watch = ::inotify_add_watch(inotify, folder.c_str(), mask);
    return watch < 0 ? last_error() : std::error_code{};
}

void remove_watch(int inotify, int watch) noexcept
{
    ::inotify_rm_watch(inotify, watch);
}

std::error_code read_inotify(int inotify, std::span<std::byte> buffer,
                             std::span<const std::byte>& events)
{
    events = {};
    const auto size = retry_on_eintr([&] { return ::read(inotify, buffer.data(), buffer.size()); });
    if (size < 0) {
        const auto error = last_error();
        return error == std::errc::resource_unavailable_try_again ? std::error_code{} : error;
    }
    events = buffer.first(static_cast<std::size_t>(size));
    return {};
}

InotifyEvent take_event(std::span<const std::byte>& events) noexcept
{
    // The kernel gives whole events, each with a name that zero bytes fill up to its length.
    inotify_event event{};
    std::memcpy(&event, events.data(), std::min(sizeof event, events.size()));
    const auto rest = events.subspan(std::min(sizeof event, events.size()));
    const auto name = rest.first(std::min<std::size_t>(event.len, rest.size()));
    events = rest.subspan(name.size());
    const std::string_view filled{reinterpret_cast<const char*>(name.data()), name.size()};
    return {.watch = event.wd,
            .mask = event.mask,
            .name = filled.substr(0, std::min(filled.find('\0'), filled.size()))};
}

} // namespace usher::sys
