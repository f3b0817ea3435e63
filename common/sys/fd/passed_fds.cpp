// SPDX-License-Identifier: MIT
#include "common/sys/fd/passed_fds.hpp"

#include <cassert>
#include <cstring>

namespace usher::sys {

void attach_fds(msghdr& header, std::span<std::byte> control, std::span<const int> fds) noexcept
{
    if (fds.empty())
        return;
    assert(control.size() >= control_space(fds.size()));
    header.msg_control = control.data();
    header.msg_controllen = control_space(fds.size());
    std::memset(control.data(), 0, header.msg_controllen); // only what is sent: this path is hot

    cmsghdr* const c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(c), fds.data(), fds.size_bytes());
}

void adopt_fds(msghdr& header, std::vector<UniqueFd>& fds) noexcept
{
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;

        const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            fds.emplace_back(fd);
        }
    }
}

void discard_fds(std::vector<UniqueFd>& fds) noexcept
{
    constexpr linger none{.l_onoff = 0, .l_linger = 0};
    for (const auto& fd : fds) // not all are sockets
        ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
    fds.clear();
}

} // namespace usher::sys
