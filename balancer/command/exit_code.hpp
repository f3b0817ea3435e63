// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/pool/outcome.hpp"

namespace usher {

/// What the shell is told when usher or one of its commands ends; see `usher --help`.
enum class ExitCode {
    done = 0,
    failed = 1, ///< and the state is as it was
    usage = 2,  ///< also: an address is in use
    bad_config = 3,
    not_running = 4,
    rolled_back = 5,
    timed_out = 6, ///< the master goes on with it
};

[[nodiscard]] constexpr ExitCode exit_code(Outcome::Kind kind) noexcept
{
    switch (kind) {
    case Outcome::Kind::done:
        return ExitCode::done;
    case Outcome::Kind::bad_request:
        return ExitCode::usage;
    case Outcome::Kind::bad_config:
        return ExitCode::bad_config;
    case Outcome::Kind::rolled_back:
        return ExitCode::rolled_back;
    case Outcome::Kind::failed:
        break;
    }
    return ExitCode::failed;
}

} // namespace usher
