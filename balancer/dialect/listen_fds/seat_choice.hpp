// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <tuple>

namespace usher {

/// What is known of a seat, the listening sockets of one worker.
struct SeatFacts {
    bool is_taken = false;        ///< a worker that has not ended has it
    bool is_active = false;       ///< its worker is ready
    bool was_last_active = false; ///< of all seats
    std::size_t waiting = 0;      ///< connections that nobody has accepted
};

/// Which seat gets the connections while no worker is ready: one that a worker has already, or else
/// the last that was ready.  Nothing: some worker is ready, or there is no seat.
[[nodiscard]] inline std::optional<std::size_t> heir_of(std::span<const SeatFacts> seats) noexcept
{
    if (seats.empty() || std::ranges::any_of(seats, &SeatFacts::is_active))
        return std::nullopt;
    const auto best = std::ranges::max_element(seats, {}, [](const SeatFacts& seat) {
        return std::tuple{seat.is_taken, seat.was_last_active};
    });
    return static_cast<std::size_t>(best - seats.begin());
}

/// Which seat the next worker gets: the heir's, or else the one where most wait.  Nothing: all are
/// taken.
[[nodiscard]] inline std::optional<std::size_t>
next_seat_of(std::span<const SeatFacts> seats) noexcept
{
    const auto heir = heir_of(seats);
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < seats.size(); ++i)
        if (!seats[i].is_taken &&
            (!best || i == heir || (best != heir && seats[i].waiting > seats[*best].waiting)))
            best = i;
    return best;
}

} // namespace usher
