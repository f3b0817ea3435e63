// SPDX-License-Identifier: MIT
#include "common/scoreboard.hpp"

#include "common/sys/fd/memfd.hpp"
#include "common/sys/syscall.hpp"

#include <chrono>
#include <utility>

#include <sys/mman.h>

namespace usher {

Scoreboard Scoreboard::make()
{
    auto fd = sys::make_sealed_memfd("usher-scoreboard", scoreboard_size);
    auto board = open(fd.get());
    board.fd_ = std::move(fd);
    board.page().magic.store(ScoreboardPage::expected_magic, std::memory_order_relaxed);
    board.page().version.store(ScoreboardPage::expected_version, std::memory_order_relaxed);
    return board;
}

Scoreboard Scoreboard::open(int fd)
{
    void* const address =
        ::mmap(nullptr, scoreboard_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED)
        sys::throw_last_error("mmap");
    Scoreboard board;
    board.page_.reset(static_cast<ScoreboardPage*>(address));
    return board;
}

void Scoreboard::Unmap::operator()(ScoreboardPage* page) const noexcept
{
    ::munmap(page, scoreboard_size);
}

bool Scoreboard::is_intact() const noexcept
{
    return page().magic.load(std::memory_order_relaxed) == ScoreboardPage::expected_magic &&
           page().version.load(std::memory_order_relaxed) == ScoreboardPage::expected_version;
}

std::uint64_t monotonic_nanoseconds() noexcept
{
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                      std::chrono::nanoseconds{1});
}

} // namespace usher
