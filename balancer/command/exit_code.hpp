// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/pool/outcome.hpp"

#include <array>
#include <cstddef>

namespace usher {

/// What the shell is told when usher or one of its commands ends; see `usher --help`.
enum class ExitCode {
    done = 0,
    failed = 1, ///< and the state is as it was; or done, and its output could not be written
    usage = 2,  ///< also: an address is in use
    bad_config = 3,
    not_running = 4, ///< or it has ended while somebody listened
    rolled_back = 5,
    timed_out = 6, ///< the master goes on with it
};

[[nodiscard]] constexpr ExitCode exit_code(Outcome::Kind kind) noexcept
{
    constexpr std::array codes{ExitCode::done, ExitCode::failed, ExitCode::usage,
                               ExitCode::bad_config, ExitCode::rolled_back};
    return codes[static_cast<std::size_t>(kind)];
}

} // namespace usher
