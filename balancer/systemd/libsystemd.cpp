// SPDX-License-Identifier: MIT
#include "balancer/systemd/libsystemd.hpp"

#include <systemd/sd-daemon.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <stdexcept>

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
    const int rc = ::sd_notify(0, state.c_str());
    return rc < 0 ? std::error_code{-rc, std::system_category()} : std::error_code{};
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
