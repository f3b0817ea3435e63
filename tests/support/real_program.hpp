// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/temp_dir.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace usher::test {

/// A conversation with a server that is under way.
class InFlight {
public:
    virtual ~InFlight() = default;

    /// Brings it to its end; throws if that is not the one it should have.
    virtual void finish() = 0;
};

/// A server as it comes from its makers, which knows nothing of usher.
struct RealProgram {
    std::string name;

    /// How a worker is started; writes what it needs into a folder.
    std::function<std::vector<std::string>(const TempDir&)> command;

    /// Asks once, on a connection of its own, and returns who answered: a text that is the same
    /// for one worker always and for two never.  Throws if the answer is not whole.
    std::function<std::string(std::uint16_t port)> ask;

    /// Begins something that its worker cannot finish before finish() is called or time has passed.
    std::function<std::unique_ptr<InFlight>(std::uint16_t port)> begin;

    /// Has somebody else's client make so many connections, so many at a time.
    std::function<void(std::uint16_t port, int connections, int clients)> bombard;

    std::string stop_signal = "TERM";
};

/// node, python3 -m http.server, gunicorn, nginx, redis-server.
[[nodiscard]] const std::vector<RealProgram>& real_programs();

} // namespace usher::test
