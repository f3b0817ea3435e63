// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"

#include <chrono>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace usher {

/// How the lines of one worker are written: as they are, behind its name, or as JSON.
class LineFormat {
public:
    enum class Stream { output, errors };

    /// `hook` is the name of a hook whose program it is, or else empty.  Text that is to be `clean`
    /// steers no terminal.
    LineFormat(const OutputConfig& config, std::string pool, unsigned slot, std::string hook = {},
               bool clean = false);

    /// The worker has been started.
    void set_pid(pid_t pid) noexcept { pid_ = pid; }

    /// What each line that was read at `now` begins with.
    [[nodiscard]] std::string head(Stream stream, std::chrono::system_clock::time_point now) const;

    /// Adds a line to `batch`; `cut` means that it goes on in the next one.
    void append(std::string& batch, std::string_view head, std::string_view line, bool cut) const;

private:
    log::Format format_;
    bool clean_;
    std::string prefix_; ///< of text
    std::string pool_;
    unsigned slot_;
    std::string hook_;
    pid_t pid_ = 0; ///< 0: it could not be started
};

} // namespace usher
