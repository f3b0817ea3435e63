// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/bus/subscriptions.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace usher {

/// Questions that members have asked others: who has still to answer, and how long that is waited
/// for.  Decides without I/O, and is told the time.
class OpenRequests {
public:
    using Clock = std::chrono::steady_clock;
    using Member = Subscriptions::Member;

    struct Respondent {
        Member member;
        std::string name;
    };

    struct Request {
        Member asker = 0;
        std::string id{}; ///< the asker's, as JSON
        std::vector<Respondent> awaited{};
        std::uint64_t most = 0; ///< replies, 0: all
        Clock::time_point deadline{};
        unsigned replies = 0;
        std::vector<std::string> missing{}; ///< who has ended, or not answered

        [[nodiscard]] bool is_done() const noexcept
        {
            return awaited.empty() || (most > 0 && replies >= most);
        }
    };

    /// The number under which those who are asked answer.  Is not to be done already.
    std::uint64_t open(Request request);

    /// Who has asked, if it is not done.
    [[nodiscard]] std::optional<Member> asker(std::uint64_t number) const;

    /// `member` answers: the request, with one reply more if it is `delivered`; null if it was not
    /// asked, or has answered.  Valid until the next call.
    [[nodiscard]] const Request* on_reply(std::uint64_t number, Member member, bool delivered);

    /// Takes out one that is done.
    [[nodiscard]] std::optional<Request> take_done(std::uint64_t number);

    /// `member` has gone: what it has asked is forgotten, and what is done by its not answering is
    /// the result.
    [[nodiscard]] std::vector<Request> on_leave(Member member);

    /// Those whose time is over.
    [[nodiscard]] std::vector<Request> take_late(Clock::time_point now);

    [[nodiscard]] std::optional<Clock::time_point> next_deadline() const;

    /// How many `asker` has asked that are not done.
    [[nodiscard]] std::size_t count(Member asker) const;

private:
    using Numbers = std::set<std::uint64_t>;

    /// Of one member.
    struct Part {
        Numbers asked{};   ///< by it
        Numbers awaited{}; ///< its answers
    };

    [[nodiscard]] Request take(std::uint64_t number);
    void forget(Member member, Numbers Part::*which, std::uint64_t number);

    std::map<std::uint64_t, Request> requests_;
    std::set<std::pair<Clock::time_point, std::uint64_t>> deadlines_;
    std::map<Member, Part> parts_; ///< of those who have one
    std::uint64_t last_number_ = 0;
};

} // namespace usher
