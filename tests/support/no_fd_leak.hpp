// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/eventually.hpp"
#include "tests/support/fds.hpp"

#include <doctest/doctest.h>

namespace usher::test {

/// Checks at the end of the scope that as many descriptors are open as at its start, or soon will
/// be: some are closed by a thread.
///
/// As the first base or member of a fixture it is destroyed last and sees what the others leave.
class NoFdLeak {
public:
    NoFdLeak() = default;
    NoFdLeak(const NoFdLeak&) = delete;
    NoFdLeak& operator=(const NoFdLeak&) = delete;
    ~NoFdLeak()
    {
        CHECK(eventually([this] { return open_fd_count() == before_; }, 5s));
    }

private:
    std::ptrdiff_t before_ = open_fd_count();
};

} // namespace usher::test
