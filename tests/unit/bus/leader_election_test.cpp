// SPDX-License-Identifier: MIT
#include "balancer/bus/leader_election.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>

namespace usher::leader_election_test {

using Notices = LeaderElection::Notices;

TEST_SUITE_BEGIN("leader_election");

TEST_CASE("the first who would is the leader")
{
    LeaderElection election;
    CHECK(election.on_campaign(1, 1) == Notices{{1, true}});
    CHECK(election.on_campaign(2, 1) == Notices{{2, false}});
    CHECK(election.on_campaign(1, 1) == Notices{{1, true}});
    CHECK(election.leader() == 1);
}

TEST_CASE("the next is named when the leader's process has ended, or it has resigned")
{
    LeaderElection election;
    std::ignore = election.on_campaign(1, 1);
    std::ignore = election.on_campaign(2, 1);
    std::ignore = election.on_campaign(3, 1);
    CHECK(election.on_ended(1) == Notices{{2, true}});
    CHECK(election.on_resign(2) == Notices{{3, true}});
    CHECK(election.on_campaign(2, 1) == Notices{{2, false}});
    CHECK(election.on_ended(3) == Notices{{2, true}});
    CHECK(election.on_ended(2).empty());
    CHECK_FALSE(election.leader());
}

TEST_CASE("one that is to stop is the leader until it has")
{
    LeaderElection election;
    std::ignore = election.on_campaign(1, 1);
    std::ignore = election.on_campaign(2, 1);
    CHECK(election.on_leaving(1) == Notices{{1, false}});
    CHECK(election.leader() == 1);
    CHECK(election.on_leaving(1).empty());
    CHECK(election.on_campaign(1, 1) == Notices{{1, false}});
    CHECK(election.on_campaign(3, 1) == Notices{{3, false}});
    CHECK(election.on_resign(1) == Notices{{2, true}});
}

TEST_CASE("who is not the leader leaves without a word")
{
    LeaderElection election;
    std::ignore = election.on_campaign(1, 1);
    std::ignore = election.on_campaign(2, 1);
    CHECK(election.on_leaving(2).empty());
    CHECK(election.on_ended(2).empty());
    CHECK(election.on_ended(1).empty());
}

TEST_CASE("one of the newest generation follows")
{
    LeaderElection election;
    std::ignore = election.on_campaign(1, 1);
    std::ignore = election.on_campaign(2, 1);
    std::ignore = election.on_campaign(3, 2);
    std::ignore = election.on_campaign(4, 2);
    CHECK(election.on_ended(1) == Notices{{3, true}});
}

TEST_CASE("whatever happens, never two believe to be it, and somebody is if anybody would")
{
    std::minstd_rand dice{11};
    for (int run = 0; run < 200; ++run) {
        LeaderElection election;
        std::map<LeaderElection::Member, bool> believes; // who lives
        std::map<LeaderElection::Member, bool> would;
        LeaderElection::Member last = 0;
        const auto hear = [&](const Notices& notices) {
            for (const auto& notice : notices)
                if (notice.is_leader)
                    believes[notice.member] = true;
        };
        for (int step = 0; step < 60; ++step) {
            const auto pick = [&] {
                auto place = believes.begin();
                std::advance(place, dice() % believes.size());
                return place->first;
            };
            switch (believes.empty() ? 0 : dice() % 5) {
            case 0:
                ++last;
                believes[last] = false;
                would[last] = true;
                hear(election.on_campaign(last, static_cast<unsigned>(1 + dice() % 3)));
                break;
            case 1: { // one that is told to stop may believe it for a while
                const auto member = pick();
                would[member] = false;
                hear(election.on_leaving(member));
                break;
            }
            case 2: {
                const auto member = pick();
                believes[member] = false; // it has stopped before it says so
                would[member] = false;
                hear(election.on_resign(member));
                break;
            }
            default: {
                const auto member = pick();
                believes.erase(member);
                would.erase(member);
                hear(election.on_ended(member));
                break;
            }
            }
            const auto leaders =
                std::ranges::count_if(believes, [](const auto& each) { return each.second; });
            REQUIRE(leaders <= 1);
            const bool anybody =
                std::ranges::any_of(would, [](const auto& each) { return each.second; });
            REQUIRE((leaders == 1 || !anybody));
        }
    }
}

TEST_SUITE_END();

} // namespace usher::leader_election_test
