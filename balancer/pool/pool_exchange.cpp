// SPDX-License-Identifier: MIT
// How a pool exchanges workers: successors first, then the switch, and the way back.
#include "balancer/pool/pool_turn.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

using Clock = std::chrono::steady_clock;

/// One successor next to the old worker, which then drains without waiting behind it.
const ReloadConfig one_for_good{};

/// How many of `count` places are exchanged together.
std::size_t at_once(const ReloadConfig& rule, std::size_t count)
{
    if (rule.strategy == ReloadConfig::Strategy::all_at_once)
        return count;
    return rule.max_surge > 0 ? rule.max_surge : rule.max_unavailable;
}

} // namespace

asio::awaitable<Pool::Turn> Pool::take_turn()
{
    while (turn_taken_)
        co_await changed_.wait();
    co_return Turn{*this};
}

asio::awaitable<bool> Pool::become_ready(const Slot& slot)
{
    while (!slot->is_ready() && !slot->is_over())
        co_await changed_.wait();
    co_return slot->is_ready() && !slot->is_over();
}

void Pool::dismiss(const Slot& slot)
{
    slot->unroute();
    slot->stop();
}

/// Starts one successor for each place of `numbers`, and switches to them once all are ready.
asio::awaitable<Outcome> Pool::replace_batch(const std::vector<unsigned>& numbers,
                                             std::shared_ptr<const PoolConfig> config,
                                             unsigned generation, const ReloadConfig& rule,
                                             std::vector<Slot>& replaced)
{
    std::vector<Slot> trials;
    for (const unsigned number : numbers) {
        if (rule.max_surge == 0 && rule.strategy == ReloadConfig::Strategy::rolling)
            dismiss(slots_[number - 1]); // no worker above the configured number
        trials.push_back(make_slot(number, WorkerSlot::Mode::trial, config, generation));
        leaving_.push_back(trials.back());
        launch(trials.back());
    }

    for (const auto& trial : trials) {
        if (co_await become_ready(trial))
            continue;
        const auto reason =
            stopping_ ? std::string{"usher is stopping"}
                      : fmt::format("{}: {}", trial->place().label, trial->last_failure());
        for (const auto& other : trials)
            dismiss(other);
        co_return Outcome::failure(reason);
    }

    for (const auto& trial : trials) {
        auto& place = slots_[trial->place().slot - 1];
        std::erase(leaving_, trial);
        trial->route(); // first, so that somebody is always routed
        place->unroute();
        replaced.push_back(std::exchange(place, trial));
        if (!replaced.back()->has_ended())
            leaving_.push_back(replaced.back());
        if (rule.soak == rule.soak.zero())
            replaced.back()->stop();
    }
    co_return Outcome{};
}

asio::awaitable<Outcome> Pool::soak(const std::vector<Slot>& replaced,
                                    std::chrono::milliseconds duration)
{
    const auto deadline = Clock::now() + duration;
    const auto crashed = [&] {
        return std::ranges::find_if(replaced, [this](const Slot& old) {
            const auto& successor = slots_[old->place().slot - 1];
            return successor->crashes() > 0 || successor->is_over();
        });
    };
    while (Clock::now() < deadline && crashed() == replaced.end() && !stopping_)
        co_await changed_.wait(deadline);

    const auto culprit = crashed();
    if (culprit == replaced.end() || stopping_)
        co_return Outcome{};
    const auto& successor = slots_[(*culprit)->place().slot - 1];
    successor->publish_last_output();
    co_return Outcome{
        .kind = Outcome::Kind::rolled_back,
        .message = fmt::format("{}: {}", successor->place().label, successor->last_failure())};
}

/// Gives the places back to those that wait behind their successors.
void Pool::put_back(const std::vector<Slot>& replaced)
{
    for (const auto& old : replaced) {
        auto& place = slots_[old->place().slot - 1];
        std::erase(leaving_, old);
        old->route();
        const auto successor = std::exchange(place, old);
        if (!successor->has_ended())
            leaving_.push_back(successor);
        dismiss(successor);
    }
}

asio::awaitable<Outcome> Pool::replace(std::vector<unsigned> numbers,
                                       std::shared_ptr<const PoolConfig> config,
                                       unsigned generation, const ReloadConfig& rule)
{
    // Places that serve nobody come first and together: they have nothing to lose.
    const auto serving = std::ranges::stable_partition(
        numbers, [this](unsigned number) { return slots_[number - 1]->is_over(); });
    const auto empty = static_cast<std::size_t>(serving.begin() - numbers.begin());

    std::vector<Slot> replaced;
    Outcome outcome;
    for (std::size_t done = 0; done < numbers.size() && outcome.is_done();) {
        const auto size =
            std::min(done < empty ? empty : at_once(rule, numbers.size()), numbers.size() - done);
        const auto first = numbers.begin() + static_cast<std::ptrdiff_t>(done);
        const std::vector<unsigned> batch{first, first + static_cast<std::ptrdiff_t>(size)};
        outcome = co_await replace_batch(batch, config, generation, rule, replaced);
        end_oldest_generations(rule.max_old_generations);
        done += size;
    }

    if (rule.soak != rule.soak.zero()) {
        if (outcome.is_done())
            outcome = co_await soak(replaced, rule.soak);
        if (!outcome.is_done() && !stopping_)
            put_back(replaced);
        else
            for (const auto& old : replaced)
                old->stop();
    } else if (!outcome.is_done() && !stopping_) {
        co_await rebuild(replaced);
    }
    co_return outcome;
}

/// The old ones drain already, so others of their kind come back in their places.
asio::awaitable<void> Pool::rebuild(const std::vector<Slot>& replaced)
{
    std::vector<Slot> ignored;
    for (const auto& old : replaced) {
        const std::vector<unsigned> batch(1, old->place().slot);
        const auto outcome =
            co_await replace_batch(batch, std::make_shared<const PoolConfig>(old->config()),
                                   old->place().generation, one_for_good, ignored);
        if (!outcome.is_done())
            publish(EventKind::note, log::Level::error,
                    "the old generation cannot be started again: " + outcome.message,
                    old->place().generation);
    }
    // A place that lost its worker to a successor that never came (max_surge 0) gets one again.
    for (auto& place : slots_) {
        if (!place->is_over() || stopping_)
            continue;
        place = make_slot(place->place().slot, WorkerSlot::Mode::keep, config_,
                          place->place().generation);
        launch(place);
    }
}

void Pool::end_oldest_generations(unsigned most)
{
    std::set<unsigned> generations;
    for (const auto& slot : leaving_)
        if (slot->is_over())
            generations.insert(slot->place().generation);
    while (generations.size() > most) {
        const auto oldest = *generations.begin();
        for (const auto& slot : leaving_)
            if (slot->place().generation == oldest && slot->is_over()) {
                publish(EventKind::note, log::Level::warning,
                        fmt::format("{}: generation {} is ended early: {} are draining",
                                    slot->place().label, oldest, generations.size()),
                        oldest);
                slot->hurry();
            }
        generations.erase(generations.begin());
    }
}

} // namespace usher
