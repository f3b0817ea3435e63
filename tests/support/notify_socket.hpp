// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

#include <string>

namespace usher::test {

/// Stands in for the service manager: the socket that NOTIFY_SOCKET names.
class NotifySocket {
public:
    NotifySocket();

    [[nodiscard]] std::string path() const { return folder_.path() / "notify"; }

    /// The next message, whole; throws std::runtime_error if none comes within 20 s.
    [[nodiscard]] std::string next();

    /// True if a message is waiting.
    [[nodiscard]] bool has_next() const;

private:
    TempDir folder_;
    sys::UniqueFd socket_;
};

} // namespace usher::test
