// SPDX-License-Identifier: MIT
#include "balancer/systemd/libsystemd.hpp"

#include "common/sys/fd/unique_fd.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>

namespace usher::systemd {

namespace {

struct Free {
    void operator()(char** names) const noexcept
    {
        for (char** name = names; name != nullptr && *name != nullptr; ++name)
            std::free(*name);
        std::free(names);
    }
};

} // namespace

bool is_built_in() noexcept
{
    return true;
}

std::error_code notify(const std::string& state) noexcept
{
    const char* const variable = std::getenv("NOTIFY_SOCKET");
    const std::string_view name = variable != nullptr ? variable : "";
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    if (name.empty() || name.size() >= sizeof address.sun_path ||
        (name.front() != '/' && name.front() != '@'))
        return std::make_error_code(std::errc::address_family_not_supported);
    std::ranges::copy(name, address.sun_path);
    if (name.front() == '@')
        address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());

    const sys::UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!socket || ::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL,
                            reinterpret_cast<const sockaddr*>(&address), size) < 0)
        return {errno, std::system_category()};
    return {};
}

std::optional<std::chrono::microseconds> watchdog_timeout() noexcept
{
    std::uint64_t microseconds = 0;
    if (::sd_watchdog_enabled(0, &microseconds) <= 0)
        return std::nullopt;
    return std::chrono::microseconds{microseconds};
}

std::vector<PassedDescriptor> take_descriptors()
{
    char** list = nullptr;
    const int count = ::sd_listen_fds_with_names(1, &list);
    const std::unique_ptr<char* [], Free> names { list };
    if (count < 0)
        throw std::runtime_error{"the sockets announced by LISTEN_FDS cannot be taken over: " +
                                 std::system_category().message(-count) +
                                 "; correct or unset LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES"};

    std::vector<PassedDescriptor> result;
    result.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i)
        result.push_back({.fd = sys::UniqueFd{SD_LISTEN_FDS_START + i},
                          .name = names ? names[static_cast<std::size_t>(i)] : ""});
    return result;
}

} // namespace usher::systemd
