// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

namespace usher::test {

/// A network namespace with nothing but a loopback device, for the calling thread and whatever it
/// starts, until the end of the scope: every port in it is free, and nobody else sees them.
class OwnNetwork {
public:
    /// Only root can make one; for others nothing changes.
    OwnNetwork();
    OwnNetwork(const OwnNetwork&) = delete;
    OwnNetwork& operator=(const OwnNetwork&) = delete;
    ~OwnNetwork();

    /// False where none can be made: ports are then those of the machine.
    [[nodiscard]] bool is_there() const noexcept { return static_cast<bool>(former_); }

private:
    sys::UniqueFd former_;
};

} // namespace usher::test
