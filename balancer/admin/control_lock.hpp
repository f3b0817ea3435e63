// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <string>

namespace usher {

/// Keeps two masters from steering by one control socket: an exclusive lock on the file
/// `PATH.lock` beside it, from before the socket is bound until after it is gone.
///
/// The kernel gives the lock up with the process, so a file that a killed master left behind is in
/// nobody's way.
class ControlLock {
public:
    /// Throws AddressInUse if another master holds it, and std::system_error or
    /// std::runtime_error if there can be no such file.
    explicit ControlLock(const std::string& socket_path);

    ControlLock(const ControlLock&) = delete;
    ControlLock& operator=(const ControlLock&) = delete;

    /// Removes the file.
    ~ControlLock();

private:
    std::string path_;
    sys::UniqueFd fd_;
};

} // namespace usher
