// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_scheduler.hpp"

#include "common/async/back_off.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace usher {

NodeScheduler::Member* NodeScheduler::find(Worker worker) noexcept
{
    const auto found = std::ranges::find(members_, worker, &Member::worker);
    return found == members_.end() ? nullptr : &*found;
}

void NodeScheduler::add(Worker worker)
{
    if (auto* const member = find(worker)) {
        member->active = true;
        return;
    }
    members_.push_back({.worker = worker, .idle_since = ++replies_});
}

void NodeScheduler::remove(Worker worker) noexcept
{
    if (auto* const member = find(worker))
        member->active = false;
    forget_the_done();
}

void NodeScheduler::forget_the_done() noexcept
{
    std::erase_if(members_,
                  [](const Member& member) { return !member.active && member.offers.empty(); });
}

std::size_t NodeScheduler::lose(Worker worker)
{
    auto* const member = find(worker);
    if (member == nullptr)
        return 0;
    auto offers = std::move(member->offers);
    member->offers.clear();
    member->active = false;
    forget_the_done();
    waiting_.insert(waiting_.begin(), std::make_move_iterator(offers.begin()),
                    std::make_move_iterator(offers.end()));
    return offers.size();
}

bool NodeScheduler::may_take(const Member& member, Clock::time_point now) const noexcept
{
    // One that had no descriptor is tried with a single connection.
    const std::size_t window = member.undelivered > 0 ? 1 : window_;
    return member.active && member.offers.size() < window && now >= member.resting_until;
}

bool NodeScheduler::has_room(Clock::time_point now) const noexcept
{
    const auto was_refused = [](const Waiting& waiting) { return !waiting.refused_by.empty(); };
    return waiting_.size() < most_refused && std::ranges::all_of(waiting_, was_refused) &&
           std::ranges::any_of(members_,
                               [&](const Member& member) { return may_take(member, now); });
}

bool NodeScheduler::has_workers() const noexcept
{
    return std::ranges::any_of(members_, &Member::active);
}

NodeScheduler::Member* NodeScheduler::pick(const Waiting& waiting, Clock::time_point now) noexcept
{
    const auto is_able = [&](const Member& member) {
        return may_take(member, now) && !waiting.was_refused_by(member.worker);
    };
    const auto best = std::ranges::min_element(members_, {}, [&](const Member& member) {
        return std::tuple{!is_able(member), member.offers.size(), member.idle_since};
    });
    return best == members_.end() || !is_able(*best) ? nullptr : &*best;
}

void NodeScheduler::forgive_in_time(Waiting& waiting, Clock::time_point now)
{
    if (waiting.refused_by.empty())
        return;
    if (waiting.forgiven_at == Clock::time_point{}) {
        waiting.forgiven_at =
            now + doubled(first_refusal_pause, ++waiting.rounds, longest_refusal_pause);
    } else if (waiting.forgiven_at <= now) {
        waiting.refused_by.clear();
        waiting.forgiven_at = {};
    }
}

std::optional<NodeScheduler::Assignment> NodeScheduler::next(Clock::time_point now)
{
    for (auto waiting = waiting_.begin(); waiting != waiting_.end(); ++waiting) {
        auto* member = pick(*waiting, now);
        if (member == nullptr) {
            forgive_in_time(*waiting, now);
            member = pick(*waiting, now);
        }
        if (member == nullptr)
            continue;
        waiting->forgiven_at = {};
        const Assignment result{.connection = waiting->connection, .worker = member->worker};
        member->offers.push_back(std::move(*waiting));
        waiting_.erase(waiting);
        return result;
    }
    return std::nullopt;
}

std::optional<NodeScheduler::Assignment> NodeScheduler::force()
{
    const auto best = std::ranges::min_element(members_, {}, [](const Member& member) {
        return std::pair{!member.active, member.offers.size()};
    });
    if (best == members_.end() || !best->active || waiting_.empty())
        return std::nullopt;
    best->offers.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    return Assignment{.connection = best->offers.back().connection, .worker = best->worker};
}

void NodeScheduler::on_answer(Worker worker, Connection connection, Answer answer,
                              Clock::time_point now)
{
    auto* const member = find(worker);
    if (member == nullptr)
        return;
    const auto offer = std::ranges::find(member->offers, connection, &Waiting::connection);
    if (offer == member->offers.end())
        return;
    auto back = std::move(*offer);
    member->offers.erase(offer);
    member->idle_since = ++replies_;

    if (answer == Answer::refused)
        back.refused_by.push_back(worker);
    if (answer == Answer::accepted || answer == Answer::refused)
        member->undelivered = 0;
    else if (answer == Answer::unsent)
        member->resting_until = std::max(member->resting_until, now + first_rest);
    else if (now >= member->resting_until) // several that were under way together count once
        member->resting_until = now + doubled(first_rest, ++member->undelivered, longest_rest);
    if (answer != Answer::accepted)
        waiting_.push_front(std::move(back));
    forget_the_done();
}

std::optional<NodeScheduler::Clock::time_point>
NodeScheduler::wake_at(Clock::time_point now) const noexcept
{
    std::optional<Clock::time_point> first;
    const auto consider = [&](Clock::time_point time) {
        if (time > now && (!first || time < *first))
            first = time;
    };
    for (const auto& waiting : waiting_)
        consider(waiting.forgiven_at);
    for (const auto& member : members_)
        if (member.active)
            consider(member.resting_until);
    return first;
}

} // namespace usher
