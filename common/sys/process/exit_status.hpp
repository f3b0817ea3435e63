// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace usher::sys {

/// How a process ended.
struct ExitStatus {
    bool by_signal = false;
    int code = 0; ///< the exit code, or the signal's number

    /// `exited with code 9` or `killed by SIGKILL`.
    [[nodiscard]] std::string to_string() const;

    friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

} // namespace usher::sys
