// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/listen/socket_file.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <string>

#include <sys/types.h>

namespace usher {

/// Where the messages of one worker arrive.
struct InboxSocket {
    sys::UniqueFd fd;
    std::string address; ///< as NOTIFY_SOCKET has it: a path, or `@name`
    SocketFile file;     ///< of a path
    std::string trouble; ///< why it is a name: one clause
};

/// One for a worker of `user`: a file, or where there can be none an abstract name (unix(7)).  It
/// may wait for a disk, so it is for helper threads.  Throws std::system_error.
[[nodiscard]] InboxSocket open_inbox(uid_t user);

/// At the end of this process: removes the folder of all.
void remove_inbox_folder() noexcept;

} // namespace usher
