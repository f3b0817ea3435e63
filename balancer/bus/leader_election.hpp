// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/bus/subscriptions.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace usher {

/// Which worker of a pool is its leader: never two.  A leader that is to stop is one until it has
/// resigned or its process has ended.  Decides without I/O.
class LeaderElection {
public:
    using Member = Subscriptions::Member;

    /// What a member is to be told.
    struct Notice {
        Member member;
        bool is_leader;

        friend bool operator==(const Notice&, const Notice&) = default;
    };
    using Notices = std::vector<Notice>;

    /// `member` would be the leader.  Among those who would, one of the newest generation is
    /// named, and of these who has said so first.
    [[nodiscard]] Notices on_campaign(Member member, unsigned generation);

    /// `member` is not, and would not be.
    [[nodiscard]] Notices on_resign(Member member) { return remove(member); }

    /// `member` is about to end.
    [[nodiscard]] Notices on_leaving(Member member);

    /// Its process has ended.
    [[nodiscard]] Notices on_ended(Member member) { return remove(member); }

    [[nodiscard]] std::optional<Member> leader() const noexcept { return leader_; }

private:
    struct Candidate {
        Member member;
        unsigned generation;
    };

    [[nodiscard]] Notices remove(Member member);
    void withdraw(Member member);
    [[nodiscard]] Notices elect();

    std::vector<Candidate> candidates_; ///< who may be named, in the order of their words
    std::optional<Member> leader_;      ///< perhaps told to stop, and no candidate any more
};

} // namespace usher
