// SPDX-License-Identifier: MIT
#include "common/sys/fd/moved_up.hpp"

#include <fcntl.h>

namespace usher::sys {

namespace {

/// Half of the usual soft limit (RLIMIT_NOFILE), so that the other half is for what stays.
constexpr int lowest = 512;

} // namespace

UniqueFd moved_up(UniqueFd fd) noexcept
{
    // EINVAL where the limit is lower than that, EMFILE where all are taken (fcntl(2)).
    UniqueFd moved{::fcntl(fd.get(), F_DUPFD_CLOEXEC, lowest)};
    return moved ? std::move(moved) : std::move(fd);
}

} // namespace usher::sys
