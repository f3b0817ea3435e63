// SPDX-License-Identifier: MIT
#include "balancer/bus/leader_election.hpp"

#include <algorithm>

namespace usher {

LeaderElection::Notices LeaderElection::on_campaign(Member member, unsigned generation)
{
    const bool is_known =
        std::ranges::find(candidates_, member, &Candidate::member) != candidates_.end();
    if (is_known || leader_ == member) // one that is to stop hears again that it is
        return {{.member = member, .is_leader = leader_ == member && is_known}};
    candidates_.push_back({.member = member, .generation = generation});
    if (leader_)
        return {{.member = member, .is_leader = false}};
    return elect();
}

LeaderElection::Notices LeaderElection::on_leaving(Member member)
{
    const bool is_known =
        std::ranges::find(candidates_, member, &Candidate::member) != candidates_.end();
    withdraw(member);
    if (leader_ == member && is_known)
        return {{.member = member, .is_leader = false}};
    return {};
}

LeaderElection::Notices LeaderElection::remove(Member member)
{
    withdraw(member);
    if (leader_ != member)
        return {};
    leader_.reset();
    return elect();
}

void LeaderElection::withdraw(Member member)
{
    std::erase_if(candidates_,
                  [member](const Candidate& candidate) { return candidate.member == member; });
}

LeaderElection::Notices LeaderElection::elect()
{
    const auto best = std::ranges::max_element(candidates_, {}, &Candidate::generation);
    if (best == candidates_.end())
        return {};
    leader_ = best->member;
    return {{.member = best->member, .is_leader = true}};
}

} // namespace usher
