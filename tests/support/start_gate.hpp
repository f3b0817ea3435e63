// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace usher::test {

/// Holds workers up before they have started, until it lets them go: a FIFO, from which each reads
/// a line.
class StartGate {
public:
    StartGate();

    /// The command of a worker that waits at the gate and then is the demo program.
    [[nodiscard]] std::vector<std::string> command() const;

    /// Lets so many of them go, also of those that come later.
    void let_start(std::size_t workers);

private:
    [[nodiscard]] std::string path() const { return folder_.path() / "gate"; }

    TempDir folder_;
    sys::UniqueFd opening_; ///< open for both, so that nobody waits for the other end
};

} // namespace usher::test
