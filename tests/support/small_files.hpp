// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <csignal>

#include <sys/resource.h>

namespace usher::test {

/// Files of this process become no larger than `size` while it lives, as if the disk were full.
class SmallFiles {
public:
    explicit SmallFiles(rlim_t size) : handler_{std::signal(SIGXFSZ, SIG_IGN)}
    {
        REQUIRE(::getrlimit(RLIMIT_FSIZE, &old_) == 0);
        const rlimit small{.rlim_cur = size, .rlim_max = old_.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    }
    SmallFiles(const SmallFiles&) = delete;
    SmallFiles& operator=(const SmallFiles&) = delete;
    ~SmallFiles()
    {
        CHECK(::setrlimit(RLIMIT_FSIZE, &old_) == 0);
        std::signal(SIGXFSZ, handler_);
    }

private:
    rlimit old_{};
    void (*handler_)(int);
};

} // namespace usher::test
