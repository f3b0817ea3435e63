// SPDX-License-Identifier: MIT
#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace usher::test {

/// What meson says in the variable `name`; throws std::runtime_error if a test runs without it.
[[nodiscard]] inline std::string from_environment(const char* name)
{
    const char* const value = std::getenv(name);
    if (value == nullptr)
        throw std::runtime_error{std::string{name} + " is not set: run the tests with meson test"};
    return value;
}

} // namespace usher::test
