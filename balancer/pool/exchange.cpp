// SPDX-License-Identifier: MIT
#include "balancer/pool/exchange.hpp"

#include <algorithm>
#include <utility>

namespace usher {

const Exchange::Member* Exchange::find(Worker worker) const noexcept
{
    const auto found = members_.find(worker);
    return found == members_.end() ? nullptr : &found->second;
}

/// True if it is there and was not told to leave.
bool Exchange::stays(Worker worker) const noexcept
{
    const auto* const member = find(worker);
    return member != nullptr && member->life != Life::leaving;
}

bool Exchange::is_ready(Worker worker) const noexcept
{
    const auto* const member = find(worker);
    return member != nullptr && member->life == Life::serving;
}

/// True if nobody leaves `place` any more.
bool Exchange::is_clear(unsigned place) const noexcept
{
    return std::ranges::none_of(members_, [place](const auto& entry) {
        return entry.second.place == place && entry.second.life == Life::leaving;
    });
}

void Exchange::act(Action::Kind kind, unsigned place, Worker worker, Worker like)
{
    actions_.push_back({.kind = kind, .place = place, .worker = worker, .like = like});
}

Exchange::Worker Exchange::start(unsigned place, Worker like)
{
    const auto worker = ++last_worker_;
    members_.emplace(worker, Member{.place = place, .life = Life::starting});
    act(Action::Kind::start, place, worker, like);
    return worker;
}

/// For a place that nobody serves: it gets connections as soon as it is ready, and is started
/// again until then.
void Exchange::start_kept(unsigned place, Worker like)
{
    seat(place).current = start(place, like);
    keep(seat(place).current);
    act(Action::Kind::route, place, seat(place).current);
}

void Exchange::keep(Worker worker)
{
    if (stays(worker))
        act(Action::Kind::keep, members_.at(worker).place, worker);
}

void Exchange::dismiss(Worker worker)
{
    if (!stays(worker))
        return;
    auto& member = members_.at(worker);
    member.life = Life::leaving;
    act(Action::Kind::stop, member.place, worker);
}

void Exchange::fill(unsigned places)
{
    seats_.resize(places);
    for (unsigned number = 1; number <= places; ++number)
        start_kept(number, 0);
}

void Exchange::begin(Plan plan)
{
    rule_ = plan.rule;
    rule_.at_once = std::max<std::size_t>(rule_.at_once, 1);
    is_new_generation_ = plan.is_new_generation;
    places_before_ = places();
    places_after_ = plan.places;
    exchanged_.clear();
    batch_.clear();
    result_ = {};
    for (unsigned added = places_before_ + 1; added <= places_after_; ++added)
        plan.replaced.push_back(added);
    if (places_after_ > places_before_)
        seats_.resize(places_after_);
    for (auto& seat : seats_)
        seat.next = seat.before = 0;

    // Places that serve nobody come first and together: they have nothing to lose.
    std::stable_partition(plan.replaced.begin(), plan.replaced.end(),
                          [this](unsigned number) { return !stays(seat(number).current); });
    queue_.assign(plan.replaced.begin(), plan.replaced.end());
    phase_ = Phase::trying; // an empty batch, so the first one is next
}

void Exchange::drain(unsigned place)
{
    dismiss(seat(place).current);
    act(Action::Kind::vacate, place, seat(place).current);
}

void Exchange::on_ready(Worker worker)
{
    if (stays(worker))
        members_.at(worker).life = Life::serving;
}

void Exchange::on_down(Worker worker)
{
    if (stays(worker))
        members_.at(worker).life = Life::starting;
}

bool Exchange::would_lose_all(unsigned places) const noexcept
{
    const auto serves = [this](const Seat& seat) { return is_ready(seat.current); };
    const auto first = std::ranges::find_if(seats_, serves);
    return first != seats_.end() && first - seats_.begin() >= places;
}

void Exchange::close()
{
    if (std::exchange(stopping_, true))
        return;
    // What was only going to start does not; who was going to be stopped still is.
    std::erase_if(actions_, [this](const Action& action) {
        const bool starts = action.kind == Action::Kind::start;
        if (starts)
            members_.erase(action.worker);
        return starts || action.kind == Action::Kind::keep || action.kind == Action::Kind::route;
    });
    if (phase_ == Phase::idle)
        return;
    result_.kind = Result::Kind::stopped;
    if (places() > places_before_) // whoever is there leaves with the others
        seats_.resize(places_before_);
    end();
}

void Exchange::stop()
{
    close();
    for (const auto& [worker, member] : members_)
        dismiss(worker);
}

std::optional<Exchange::Action> Exchange::next(Clock::time_point now)
{
    while (actions_.empty())
        if (!move_on(now))
            return std::nullopt;
    const auto action = actions_.front();
    actions_.pop_front();
    return action;
}

/// False if that has to wait for something.
bool Exchange::move_on(Clock::time_point now)
{
    if (phase_ == Phase::idle)
        return false;
    if (const auto lost = find_lost(); lost != 0) {
        fail(Result::Kind::rolled_back, lost, now);
        return true;
    }
    switch (phase_) {
    case Phase::idle:
        break;
    case Phase::clearing:
        if (!std::ranges::all_of(batch_, [this](unsigned place) { return is_clear(place); }))
            return false;
        try_batch();
        return true;
    case Phase::trying:
        return look_at_trials(now);
    case Phase::soaking:
        if (soak_end_ && now < *soak_end_)
            return false;
        soak_end_.reset(); // from now on it is a matter of events
        if (!std::ranges::all_of(exchanged_,
                                 [this](unsigned place) { return is_ready(current(place)); }))
            return false; // one is on its way out, and its end fails the soak
        commit();
        return true;
    }
    return false;
}

/// A successor that ended although it had its place already: while it soaks, it is on trial.
Exchange::Worker Exchange::find_lost() const noexcept
{
    if (rule_.soak == rule_.soak.zero())
        return 0;
    for (const unsigned place : exchanged_) // none on the way back
        if (!stays(current(place)))
            return current(place);
    return 0;
}

void Exchange::next_batch(Clock::time_point now)
{
    batch_.clear();
    if (queue_.empty()) {
        if (!is_back() && rule_.soak > rule_.soak.zero() && !exchanged_.empty()) {
            soak_end_ = now + rule_.soak;
            phase_ = Phase::soaking;
            return;
        }
        return commit();
    }
    const bool vacant = !is_back() && !stays(current(queue_.front()));
    while (!queue_.empty() &&
           (vacant ? !stays(current(queue_.front())) : batch_.size() < rule_.at_once)) {
        batch_.push_back(queue_.front());
        queue_.pop_front();
    }
    if (!is_back())
        for (const unsigned place : batch_)
            seat(place).had_worker = stays(current(place));

    // Without surge the batch's old workers go first; otherwise there is nothing to wait for.
    phase_ = Phase::clearing;
    if (rule_.successor_first)
        return try_batch();
    for (const unsigned place : batch_)
        dismiss(seat(place).current);
}

void Exchange::try_batch()
{
    for (const unsigned place : batch_)
        seat(place).next = start(place, is_back() ? seat(place).before : 0);
    phase_ = Phase::trying;
}

bool Exchange::look_at_trials(Clock::time_point now)
{
    bool failed = false;
    for (const unsigned place : batch_) {
        failed |= find(seat(place).next) == nullptr;
        if (failed && !is_back()) {
            fail(Result::Kind::failed, seat(place).next, now);
            return true;
        }
    }
    for (const unsigned place : batch_)
        if (find(seat(place).next) != nullptr && !is_ready(seat(place).next))
            return false;
    for (const unsigned place : batch_)
        if (is_ready(seat(place).next))
            switch_over(place);
        else
            leave_new(place);
    if (failed) // what cannot be had once is not tried at the cost of those that serve
        for (const unsigned place : std::exchange(queue_, {}))
            leave_new(place);
    next_batch(now);
    return true;
}

void Exchange::switch_over(unsigned place)
{
    auto& seat = this->seat(place);
    const bool soaks = !is_back() && rule_.soak != rule_.soak.zero();
    const auto old = std::exchange(seat.current, std::exchange(seat.next, 0));
    if (!soaks)
        keep(seat.current);
    act(Action::Kind::route, place, seat.current); // first, so that somebody is always routed
    if (!soaks)
        dismiss(old);
    else if (stays(old))
        act(Action::Kind::unroute, place, old);
    if (is_back())
        return;
    seat.before = old;
    exchanged_.push_back(place);
}

void Exchange::fail(Result::Kind kind, Worker culprit, Clock::time_point now)
{
    result_.kind = kind;
    result_.culprit = culprit;
    soak_end_.reset();
    queue_.clear();
    for (const unsigned place : batch_) {
        dismiss(std::exchange(seat(place).next, 0));
        if (seat(place).had_worker && !stays(seat(place).current)) { // it made room
            seat(place).before = seat(place).current;
            queue_.push_back(place);
        }
    }
    for (const unsigned place : std::exchange(exchanged_, {}))
        take_back(place);
    next_batch(now);
}

/// What an operation that failed does with a place that it had exchanged already.
void Exchange::take_back(unsigned place)
{
    auto& seat = this->seat(place);
    if (!seat.had_worker && (is_new_generation_ || place > places_before_)) {
        dismiss(seat.current);
        act(Action::Kind::vacate, place, seat.current);
    } else if (stays(seat.before)) {
        act(Action::Kind::route, place, seat.before);
        dismiss(std::exchange(seat.current, seat.before));
    } else if (is_new_generation_ || !stays(seat.current)) {
        if (seat.had_worker)
            queue_.push_back(place);
    } else {
        keep(seat.current);
    }
}

/// The old worker of `place` cannot be had again.
void Exchange::leave_new(unsigned place)
{
    auto& seat = this->seat(place);
    seat.next = 0;
    if (!stays(seat.current)) {
        result_.awaited.push_back(place);
        return start_kept(place, seat.before);
    }
    keep(seat.current);
    result_.left_new.push_back(place);
}

/// Nothing is left to be exchanged.
void Exchange::commit()
{
    for (const unsigned place : exchanged_) {
        if (rule_.soak != rule_.soak.zero())
            keep(seat(place).current);
        dismiss(seat(place).before);
    }
    while (places() > (is_back() ? places_before_ : places_after_)) {
        const auto last = places();
        dismiss(current(last));
        act(Action::Kind::vacate, last, current(last));
        seats_.pop_back();
    }
    end();
}

void Exchange::end()
{
    phase_ = Phase::idle;
    soak_end_.reset();
    queue_.clear();
    batch_.clear();
    exchanged_.clear();
}

} // namespace usher
