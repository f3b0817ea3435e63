// SPDX-License-Identifier: MIT
// Stands in for libsystemd.cpp in a build without that library.
#include "balancer/systemd/libsystemd.hpp"

namespace usher::systemd {

bool is_built_in() noexcept
{
    return false;
}

std::error_code notify(const std::string&) noexcept
{
    return {};
}

std::optional<std::chrono::microseconds> watchdog_timeout() noexcept
{
    return std::nullopt;
}

std::vector<PassedDescriptor> take_descriptors()
{
    return {};
}

} // namespace usher::systemd
