// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/units/names.hpp"

#include <string>
#include <utility>

namespace usher {

/// What became of something that was asked of a pool, or of the master.
struct Outcome {
    enum class Kind {
        done,
        failed,      ///< and the state is as it was, or as `message` says
        bad_request, ///< what was asked cannot be meant
        bad_config,
        rolled_back,
    };

    Kind kind = Kind::done;
    std::string message;         ///< one sentence; of a failure, why: one clause
    bool is_partly_done = false; ///< of a failure: `message` says what is not as it was

    [[nodiscard]] bool is_done() const noexcept { return kind == Kind::done; }

    [[nodiscard]] static Outcome failure(std::string reason)
    {
        return {.kind = Kind::failed, .message = std::move(reason)};
    }

    [[nodiscard]] static Outcome bad_request(std::string reason)
    {
        return {.kind = Kind::bad_request, .message = std::move(reason)};
    }
};

/// As it goes over the control socket.
inline constexpr Names<Outcome::Kind, 5> outcome_names{{
    {Outcome::Kind::done, "done"},
    {Outcome::Kind::failed, "failed"},
    {Outcome::Kind::bad_request, "bad_request"},
    {Outcome::Kind::bad_config, "bad_config"},
    {Outcome::Kind::rolled_back, "rolled_back"},
}};

} // namespace usher
