// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/bus/bus_identity.hpp"
#include "balancer/bus/bus_line.hpp"
#include "balancer/bus/leader_election.hpp"
#include "balancer/bus/open_requests.hpp"
#include "balancer/bus/outbox.hpp"
#include "balancer/bus/subscriptions.hpp"
#include "balancer/config/bus_config.hpp"
#include "balancer/store/store.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// One bus: told what its members say, it puts into their outboxes what they are to hear.  Decides
/// without I/O, and is told the time.
///
/// Each message of a member leaves by publish(), and each that comes from elsewhere comes in by it:
/// what joins buses of several machines is one more member.
class BusRouter {
public:
    using Clock = std::chrono::steady_clock;
    using Member = Subscriptions::Member;

    /// A change of the store that a member asks for; `done` is called once with the answer, at once
    /// or later.
    using Change =
        std::function<void(Store::Command command, std::function<void(Store::Answer)> done)>;

    /// Members are told `group`, and follow `store`, which must outlive it.
    BusRouter(std::string group, const Store& store, Change change);
    BusRouter(const BusRouter&) = delete;
    BusRouter& operator=(const BusRouter&) = delete;
    ~BusRouter() = default;

    /// Its number is its worker's, or for one from outside a new one.  What it is to hear waits in
    /// outbox(); `on_output` is called by flush() when something new does.
    Member join(BusIdentity who, const BusConfig& limits, std::function<void()> on_output);

    /// Nothing more is heard of it, and it hears nothing: its socket is closed.
    void leave(Member member);

    /// Its worker is about to end, and must not be the leader.
    void on_leaving(const BusIdentity& who);

    /// Its worker's process has ended.
    void on_ended(const BusIdentity& who);

    [[nodiscard]] Outbox& outbox(Member member) { return members_.at(member)->outbox; }

    /// Messages that it has lost so far; 0 once it has left.
    [[nodiscard]] std::uint64_t lost(Member member) const;

    /// One line without its line feed.
    void on_line(Member member, std::string_view line, Clock::time_point now);

    /// Tells a member that what it sent is no line.
    void refuse(Member member, const BusError& error);

    /// To whoever wants `topic`; returns to how many.  `data` is JSON.
    std::size_t publish(std::string_view from, std::string_view topic, std::string_view data);

    /// True if nobody has subscribed to anything, so that nothing need be made to be published.
    [[nodiscard]] bool is_silent() const noexcept { return subscriptions_.is_empty(); }

    /// The store has changed.
    void on_stored();

    /// Ends the waiting for those who have not answered in time.
    void advance(Clock::time_point now);
    [[nodiscard]] std::optional<Clock::time_point> next_deadline() const
    {
        return requests_.next_deadline();
    }

    /// Calls `on_output` of those who have something new to hear.
    void flush();

    /// Whether any of the members is a worker.
    [[nodiscard]] bool has_workers() const noexcept;

    /// Nobody is left whom those from outside could hear or ask; flush() wakes them.
    void end_outside();

    /// Whether that was said while the member was there.
    [[nodiscard]] bool is_over(Member member) const { return members_.at(member)->is_over; }

    /// The name under which pools share.
    [[nodiscard]] const std::string& group() const noexcept { return group_; }

    /// Who leads `pool`, by its worker's number.
    [[nodiscard]] std::optional<Member> leader(std::string_view pool) const;

private:
    struct Place {
        BusIdentity who;
        std::string name;
        Outbox outbox;
        std::function<void()> on_output;
        std::set<std::string, std::less<>> patterns{};
        std::size_t pattern_words = 0; ///< of all of them
        std::uint64_t process = 0; ///< which of those that have spoken here, one after the other
        bool has_spoken = false;   ///< before, nothing that is sent waits for it
        bool is_leaving = false;
        bool is_over = false;  ///< of one from outside: see end_outside()
        bool is_dirty = false; ///< in dirty_

        Place(BusIdentity identity, const BusConfig& limits, std::function<void()> output)
            : who{std::move(identity)},
              name{who.name()},
              outbox{limits},
              on_output{std::move(output)}
        {
        }
    };

    void carry_out(Member member, Place& place, const BusLine& line, Clock::time_point now);
    void begin_anew(Member member, Place& place);
    void subscribe(Member member, Place& place, const BusLine& line);
    void send(Member member, Place& place, const BusLine& line);
    void request(Member member, Place& place, const BusLine& line, Clock::time_point now);
    void reply(Member member, Place& place, const BusLine& line);
    void change_store(Member member, const Place& place, const BusLine& line);
    void get(Member member, const BusLine& line);
    void tell_done(const OpenRequests::Request& request);
    void tell(const LeaderElection::Notices& notices);

    [[nodiscard]] bool is_addressed(const Place& place, Member asker, const Place& from,
                                    const BusLine& line) const;
    void deliver(Member member, Outbox::Line line);
    void answer(Member member, std::string line, std::uint64_t revision = 0);
    void acknowledge(Member member, const BusLine& line);
    void acknowledge_delivery(Member member, const BusLine& line, std::size_t receivers);
    void mark(Member member, Place& place);

    std::string group_;
    const Store& store_;
    Change change_;
    std::map<Member, std::unique_ptr<Place>> members_;
    Subscriptions subscriptions_;
    OpenRequests requests_;
    std::map<std::string, LeaderElection, std::less<>> elections_; ///< by pool
    std::vector<Member> dirty_;
    std::vector<Member> found_; ///< kept for its memory
    Member last_outside_ = Member{1} << 63U;
};

} // namespace usher
