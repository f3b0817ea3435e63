// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>

namespace usher {

/// A process could not be started; the message names the program, the step and the reason.
class SpawnError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

} // namespace usher
