// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <cstddef>

#include <pthread.h>

namespace usher::test {

/// In its scope no thread can be started: there is no room for its stack.
class NoThreads {
public:
    NoThreads()
    {
        REQUIRE(::pthread_getattr_default_np(&before_) == 0);
        auto attributes = before_;
        constexpr std::size_t too_much = std::size_t{1} << 47;
        REQUIRE(::pthread_attr_setstacksize(&attributes, too_much) == 0);
        REQUIRE(::pthread_setattr_default_np(&attributes) == 0);
    }
    NoThreads(const NoThreads&) = delete;
    NoThreads& operator=(const NoThreads&) = delete;
    ~NoThreads() { ::pthread_setattr_default_np(&before_); }

private:
    pthread_attr_t before_{};
};

} // namespace usher::test
