// SPDX-License-Identifier: MIT
// How a pool carries out what Exchange decides.
#include "balancer/pool/pool.hpp"
#include "common/async/spawn.hpp"
#include "common/text/counted.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

using Clock = std::chrono::steady_clock;

} // namespace

void Pool::on_change(const WorkerSlot& slot) noexcept
{
    if (slot.has_ended())
        exchange_.on_ended(slot.member());
    else if (slot.is_ready())
        exchange_.on_ready(slot.member());
    else
        exchange_.on_down(slot.member());
    changed_.notify_all();
}

asio::awaitable<Outcome> Pool::carry_out(Exchange::Plan plan,
                                         std::shared_ptr<const ResolvedPool> config,
                                         unsigned generation)
{
    next_config_ = std::move(config);
    next_generation_ = generation;
    exchange_.begin(std::move(plan));
    perform_all();
    while (!exchange_.is_idle()) {
        co_await changed_.wait(exchange_.deadline().value_or(Clock::time_point::max()));
        perform_all();
    }
    auto outcome = outcome_of(exchange_.result());
    std::erase_if(members_, [this](const auto& entry) {
        return entry.second->has_ended() && std::ranges::find(slots_, entry.second) == slots_.end();
    });
    look_for_end();
    co_return outcome;
}

Outcome Pool::outcome_of(const Exchange::Result& result)
{
    using Kind = Exchange::Result::Kind;
    if (result.kind == Kind::done)
        return {};
    if (result.kind == Kind::stopped)
        return Outcome::failure("usher is stopping");

    const auto& culprit = members_.at(result.culprit);
    Outcome outcome{.kind = Outcome::Kind::failed,
                    .message =
                        fmt::format("{}: {}", culprit->identity().label, culprit->last_failure())};
    if (result.kind == Kind::rolled_back) {
        outcome.kind = Outcome::Kind::rolled_back;
        culprit->publish_last_output();
    }
    if (!result.awaited.empty()) {
        outcome.is_partly_done = true;
        outcome.message +=
            fmt::format("; no worker in {}, to be tried again", numbered("slot", result.awaited));
    }
    if (!result.left_new.empty()) {
        outcome.is_partly_done = true;
        last_generation_ = std::max(last_generation_, next_generation_);
        outcome.message +=
            fmt::format("; the old kind cannot be started again in {}, so generation {} "
                        "stays there",
                        numbered("slot", result.left_new), next_generation_);
    }
    return outcome;
}

void Pool::perform_all()
{
    bool somebody_left = false;
    while (const auto action = exchange_.next(Clock::now())) {
        perform(*action);
        somebody_left |= action->kind == Exchange::Action::Kind::stop;
    }
    while (slots_.size() > exchange_.places()) {
        release(slots_.back());
        slots_.pop_back();
    }
    if (somebody_left && !is_stopping())
        end_oldest_generations(config_->reload.max_old_generations);
}

void Pool::perform(const Exchange::Action& action)
{
    using Kind = Exchange::Action::Kind;
    switch (action.kind) {
    case Kind::start:
        return start_slot(action);
    case Kind::keep:
        return members_.at(action.worker)->keep();
    case Kind::route:
        return route(action.place, members_.at(action.worker));
    case Kind::unroute:
        return members_.at(action.worker)->unroute();
    case Kind::stop:
        return members_.at(action.worker)->stop();
    case Kind::vacate:
        return shared_.intake->give_up_slot(action.place);
    }
}

void Pool::start_slot(const Exchange::Action& action)
{
    const auto* const like = action.like == 0 ? nullptr : members_.at(action.like).get();
    const auto config =
        like != nullptr ? std::make_shared<const ResolvedPool>(like->config()) : next_config_;
    const WorkerIdentity identity{
        .pool = config->name,
        .slot = action.place,
        .generation = like != nullptr ? like->identity().generation : next_generation_,
        .label = labelled_ ? fmt::format("worker {}/{}", config->name, action.place)
                           : fmt::format("worker {}", action.place)};
    const auto slot = std::make_shared<WorkerSlot>(shared_, config, action.worker, identity);
    leaving_.push_back(slot);
    members_.emplace(action.worker, slot);
    spawn(shared_.executor, [this, slot]() -> asio::awaitable<void> {
        co_await slot->run(); // starts nothing before it is said whether it is on trial
        std::erase(leaving_, slot);
        changed_.notify_all();
        look_for_end();
    });
}

void Pool::route(unsigned place, const Slot& slot)
{
    std::erase(leaving_, slot);
    slot->route();
    if (place > slots_.size())
        slots_.push_back(slot); // places come in order
    else
        release(std::exchange(slots_[place - 1], slot));
}

/// `slot` is its place's no longer.
void Pool::release(const Slot& slot)
{
    if (!slot->has_ended())
        leaving_.push_back(slot);
}

void Pool::end_oldest_generations(unsigned most)
{
    std::set<unsigned> generations;
    for (const auto& slot : leaving_)
        if (slot->is_over() && slot->was_routed())
            generations.insert(slot->identity().generation);
    while (generations.size() > most) {
        const auto oldest = *generations.begin();
        for (const auto& slot : leaving_)
            if (slot->identity().generation == oldest && slot->is_over() && slot->was_routed()) {
                events_.publish(EventKind::note, log::Level::warning,
                                fmt::format("{}: generation {} is ended early: {} are draining",
                                            slot->identity().label, oldest, generations.size()),
                                oldest);
                slot->hurry();
            }
        generations.erase(generations.begin());
    }
}

} // namespace usher
