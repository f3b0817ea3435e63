// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace usher {

/// Keeps two masters off one socket's path: an exclusive lock on a file beside it, which is ours
/// alone, so that nobody else can hold the lock.
///
/// The kernel gives the lock up with the process, so a file that a killed master left behind is in
/// nobody's way.
class SocketLock {
public:
    /// Locks `socket_path` with `suffix`; tries again for `patience`.  Throws AddressInUse if
    /// another master holds the lock, which says that it `does` something there, and
    /// std::system_error or std::runtime_error if there can be no such file.
    explicit SocketLock(const std::string& socket_path, std::string_view suffix = ".lock",
                        std::string_view does = "is steered there",
                        std::chrono::milliseconds patience = {});

    SocketLock(const SocketLock&) = delete;
    SocketLock& operator=(const SocketLock&) = delete;

    /// Removes the file.
    ~SocketLock();

    /// False if somebody has removed the file, so that another can be locked.  May wait for a disk.
    [[nodiscard]] bool is_there() const noexcept;

private:
    std::string path_;
    sys::UniqueFd fd_;
};

} // namespace usher
