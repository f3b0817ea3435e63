// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/pool/outcome.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace usher {

/// Decides which clients of the control socket have a place there, since each costs a descriptor.
///
/// Only those that are served keep theirs: who has asked for nothing yet, or does not read the
/// answer, makes way when all are taken, so that nobody can keep others out by saying nothing.
struct ControlPlaces {
    enum class Client {
        silent, ///< there is nothing to be done for it, but to wait
        served, ///< what it has asked for is under way
    };

    static constexpr std::size_t most_served = 128;
    static constexpr std::size_t most = most_served + 16; ///< room for what is soon over

    /// What those without a place are told.
    [[nodiscard]] static Outcome refusal()
    {
        return Outcome::failure(std::to_string(most_served) +
                                " clients speak to this usher already; try again later");
    }

    /// Which of `clients`, the oldest first, makes way for another; their number: none need;
    /// nothing: none can, so that there is no place.
    [[nodiscard]] static std::optional<std::size_t>
    make_way(std::span<const Client> clients) noexcept
    {
        if (clients.size() < most)
            return clients.size();
        const auto oldest = std::ranges::find(clients, Client::silent);
        if (oldest == clients.end())
            return std::nullopt;
        return static_cast<std::size_t>(oldest - clients.begin());
    }

    /// True if one of them may be served something that can take long.
    [[nodiscard]] static bool has_room(std::span<const Client> clients) noexcept
    {
        return static_cast<std::size_t>(std::ranges::count(clients, Client::served)) < most_served;
    }
};

} // namespace usher
