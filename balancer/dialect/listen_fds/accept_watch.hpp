// SPDX-License-Identifier: MIT
#pragma once

#include <set>
#include <vector>

#include <sys/types.h>

namespace usher {

/// Looks in /proc whether a program waits for connections on sockets it was given: by epoll, or in
/// a blocking accept().  poll() and select() show nothing of what they wait for.
class AcceptWatch {
public:
    /// `sockets` are our copies.
    explicit AcceptWatch(const std::vector<int>& sockets);

    /// True if `process` or a descendant waits on one of them.
    [[nodiscard]] bool sees(pid_t process) const;

private:
    [[nodiscard]] bool has_registered(pid_t process) const;
    [[nodiscard]] bool is_in_accept(pid_t process) const;

    std::set<ino_t> inodes_;
};

} // namespace usher
