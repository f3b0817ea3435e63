// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string>
#include <string_view>
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
[[nodiscard]] constexpr std::string_view name_of(Outcome::Kind kind) noexcept
{
    constexpr std::array<std::string_view, 5> names{"done", "failed", "bad_request", "bad_config",
                                                    "rolled_back"};
    return names[static_cast<std::size_t>(kind)];
}

/// `failed` for a name that is none.
[[nodiscard]] constexpr Outcome::Kind outcome_kind(std::string_view name) noexcept
{
    for (const auto kind : {Outcome::Kind::done, Outcome::Kind::bad_request,
                            Outcome::Kind::bad_config, Outcome::Kind::rolled_back})
        if (name == name_of(kind))
            return kind;
    return Outcome::Kind::failed;
}

} // namespace usher
