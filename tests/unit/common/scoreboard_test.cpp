// SPDX-License-Identifier: MIT
#include "common/scoreboard.hpp"

#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>
#include <fstream>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

#include <sys/stat.h>

namespace usher::scoreboard_test {

using namespace usher::test;

static_assert(offsetof(ScoreboardPage, magic) == 0);
static_assert(offsetof(ScoreboardPage, version) == 4);
static_assert(offsetof(ScoreboardPage, accepted) == 64);
static_assert(offsetof(ScoreboardPage, closed) == 72);
static_assert(offsetof(ScoreboardPage, load) == 80);
static_assert(offsetof(ScoreboardPage, heartbeat) == 88);

namespace {

/// How many pages this process has mapped, by /proc/self/maps.
std::size_t mapped_pages()
{
    std::ifstream maps{"/proc/self/maps"};
    std::size_t count = 0;
    for (std::string line; std::getline(maps, line);)
        count += line.find("usher-scoreboard") != std::string::npos ? 1 : 0;
    return count;
}

} // namespace

TEST_SUITE_BEGIN("scoreboard");

TEST_CASE_FIXTURE(NoFdLeak, "a new page says what it is and counts nothing")
{
    const auto board = Scoreboard::make();
    CHECK(board.is_intact());
    CHECK(std::memcmp(&board.page(), "USBD", 4) == 0);
    CHECK(board.page().version == 1);
    CHECK(board.page().accepted == 0);
    CHECK(board.page().closed == 0);
    CHECK(board.page().load == 0);
    CHECK(board.page().heartbeat == 0);
}

TEST_CASE_FIXTURE(NoFdLeak, "the file behind a page is one page large")
{
    const auto board = Scoreboard::make();
    struct stat status {};
    REQUIRE(::fstat(board.fd(), &status) == 0);
    CHECK(status.st_size == scoreboard_size);
}

TEST_CASE_FIXTURE(NoFdLeak, "the worker's mapping and the master's are one page")
{
    const auto master = Scoreboard::make();
    const auto worker = Scoreboard::open(master.fd());
    CHECK(worker.is_intact());
    CHECK(worker.fd() == -1); // the descriptor stays the caller's

    worker.page().accepted.fetch_add(3);
    worker.page().heartbeat = 42;
    CHECK(master.page().accepted == 3);
    CHECK(master.page().heartbeat == 42);
}

TEST_CASE_FIXTURE(NoFdLeak, "a page whose magic or version was overwritten is not intact")
{
    const auto board = Scoreboard::make();
    board.page().magic = 0;
    CHECK_FALSE(board.is_intact());

    board.page().magic = ScoreboardPage::expected_magic;
    CHECK(board.is_intact());
    board.page().version = 2;
    CHECK_FALSE(board.is_intact());
}

TEST_CASE_FIXTURE(NoFdLeak, "what is no file cannot be opened as a page")
{
    const Pipe pipe = make_pipe();
    CHECK_THROWS_AS(std::ignore = Scoreboard::open(pipe.reader.get()), std::system_error);
}

TEST_CASE_FIXTURE(NoFdLeak, "a page outlives its descriptor and ends with its object")
{
    const auto before = mapped_pages();
    {
        const auto worker = Scoreboard::open(Scoreboard::make().fd());
        worker.page().load = 1;
        CHECK(mapped_pages() == before + 1);
    }
    CHECK(mapped_pages() == before);
}

TEST_CASE_FIXTURE(NoFdLeak, "moving a page keeps its place, assigning unmaps in time")
{
    const auto before = mapped_pages();
    {
        auto source = Scoreboard::make();
        auto* const page = &source.page();
        auto target = std::move(source);
        CHECK(&target.page() == page);

        target = Scoreboard::make();
        CHECK(mapped_pages() == before + 1);
    }
    CHECK(mapped_pages() == before);
}

TEST_CASE("monotonic time does not run backwards")
{
    const auto first = monotonic_nanoseconds();
    const auto second = monotonic_nanoseconds();
    CHECK(first > 0);
    CHECK(second >= first);
}

TEST_SUITE_END();

} // namespace usher::scoreboard_test
