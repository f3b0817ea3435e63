// SPDX-License-Identifier: MIT
#include "tests/support/own_network.hpp"

#include "common/sys/syscall.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace usher::test {

OwnNetwork::OwnNetwork() : former_{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)}
{
    if (!former_)
        sys::throw_last_error("/proc/thread-self/ns/net");
    if (::unshare(CLONE_NEWNET) < 0) {
        if (errno != EPERM)
            sys::throw_last_error("unshare");
        former_.reset();
        return;
    }

    const sys::UniqueFd any{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    ifreq request{};
    std::ranges::copy(std::string_view{"lo"}, request.ifr_name);
    request.ifr_flags = IFF_UP;
    if (!any || ::ioctl(any.get(), SIOCSIFFLAGS, &request) < 0)
        sys::throw_last_error("the loopback device");
}

OwnNetwork::~OwnNetwork()
{
    if (former_)
        ::setns(former_.get(), CLONE_NEWNET);
}

} // namespace usher::test
