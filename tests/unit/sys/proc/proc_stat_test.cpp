// SPDX-License-Identifier: MIT
#include "common/sys/proc/proc_stat.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include <unistd.h>

namespace usher::proc_stat_test {

using namespace usher::sys;

namespace {

/// As Linux 6.1 writes it; fields 14 and 15 are 250 and 30, field 24 is 1234.
std::string line(const std::string& name, char state = 'S')
{
    return "4711 (" + name + ") " + state +
           " 1 4700 4700 0 -1 4194560 4525 0 12 0 250 30 7 9 20 0 1 0 123456 23244800 1234 "
           "18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
}

} // namespace

TEST_SUITE_BEGIN("proc_stat");

TEST_CASE("a line says whose group it is of and what it uses")
{
    const ProcStat expected{.pid = 4711,
                            .name = "node",
                            .state = 'S',
                            .group = 4700,
                            .cpu_ticks = 280,
                            .resident_pages = 1234};
    CHECK((parse_proc_stat(line("node")) == expected));
}

TEST_CASE("the name of a program may be anything")
{
    for (const std::string name : {"", ")", "a) S 1 (b", "a\nb", "((", ") R 1 2 3"}) {
        CAPTURE(name);
        const auto stat = parse_proc_stat(line(name));
        REQUIRE(stat);
        CHECK(stat->name == name);
        CHECK(stat->group == 4700);
    }
}

TEST_CASE("a process that has ended shows")
{
    CHECK(parse_proc_stat(line("a", 'Z'))->is_zombie());
    CHECK(parse_proc_stat(line("a", 'X'))->is_zombie());
    CHECK_FALSE(parse_proc_stat(line("a", 'T'))->is_zombie());
}

TEST_CASE("what is no such line is none, however short")
{
    const auto whole = line("a");
    const auto enough = whole.find(" 1234 ") + 5;
    for (std::size_t size = 0; size < enough - 3; ++size) {
        CAPTURE(size);
        CHECK_FALSE(parse_proc_stat(whole.substr(0, size)));
    }
    CHECK(parse_proc_stat(whole.substr(0, enough)));
    CHECK_FALSE(parse_proc_stat("x (a) S 1 2"));
    CHECK_FALSE(parse_proc_stat("1 (a) S 1 x 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21"));
}

TEST_CASE("this process is among all")
{
    const auto all = all_proc_stats();
    const auto self = std::ranges::find(all, ::getpid(), &ProcStat::pid);
    REQUIRE(self != all.end());
    CHECK(self->group == ::getpgrp());
    CHECK(self->resident_pages > 0);
    CHECK(std::ranges::is_sorted(all, {}, &ProcStat::pid));
}

TEST_SUITE_END();

} // namespace usher::proc_stat_test
