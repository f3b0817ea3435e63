// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>

#include <sys/epoll.h>

namespace usher::preload {

/// Where a descriptor is registered with epoll, so that another file can take its number.
///
/// An epoll instance knows files, not numbers: after dup3() it would go on to report the old one,
/// as long as any process holds that, and not know the new one.  Some event loops register a socket
/// before they listen on it.
class EpollRegistrations {
public:
    /// Finds the registrations of `fd` in this process and removes them.
    explicit EpollRegistrations(int fd) noexcept;

    /// Registers the file that `fd` is now in the same way.
    void restore() noexcept;

private:
    struct Registration {
        int epoll = -1;
        epoll_event event{};
    };

    void find_in(int epoll) noexcept;

    int fd_;
    std::array<Registration, 16> found_{};
    std::size_t count_ = 0;
};

} // namespace usher::preload
