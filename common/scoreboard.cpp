// SPDX-License-Identifier: MIT
#include "common/scoreboard.hpp"

#include "common/sys/fd/memfd.hpp"

#include <utility>

#include <ctime>

namespace usher {

Scoreboard::Scoreboard(sys::UniqueFd fd, sys::Mapping mapping) noexcept
    : fd_{std::move(fd)}, mapping_{std::move(mapping)}
{
}

Scoreboard Scoreboard::make()
{
    auto fd = sys::make_sealed_memfd("usher-scoreboard", scoreboard_size);
    sys::Mapping mapping{fd.get(), scoreboard_size};
    Scoreboard board{std::move(fd), std::move(mapping)};
    board.page().magic.store(ScoreboardPage::expected_magic, std::memory_order_relaxed);
    board.page().version.store(ScoreboardPage::expected_version, std::memory_order_relaxed);
    return board;
}

Scoreboard Scoreboard::open(int fd)
{
    return Scoreboard{sys::UniqueFd{}, sys::Mapping{fd, scoreboard_size}};
}

bool Scoreboard::is_intact() const noexcept
{
    return page().magic.load(std::memory_order_relaxed) == ScoreboardPage::expected_magic &&
           page().version.load(std::memory_order_relaxed) == ScoreboardPage::expected_version;
}

std::uint64_t monotonic_nanoseconds() noexcept
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
}

} // namespace usher
