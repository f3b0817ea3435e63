// SPDX-License-Identifier: MIT
// How a pool exchanges its workers: reload, restart, scale.
#include "balancer/supervise/pool.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

using Clock = std::chrono::steady_clock;

Outcome failed(std::string reason)
{
    return {.kind = Outcome::Kind::failed, .reason = std::move(reason)};
}

/// True if `next` can be brought in without replacing a worker: what differs is only how many
/// there are, where they get connections from, and how they are supervised.
bool keeps_workers(const PoolConfig& now, PoolConfig next)
{
    const bool same_program = now.command == next.command && now.env == next.env &&
                              now.cwd == next.cwd && now.run_as == next.run_as &&
                              now.output == next.output;
    next.workers = now.workers;
    const bool nothing_changed = next == now; // then it is the program's file that has changed
    return same_program && !nothing_changed;
}

std::vector<unsigned> up_to(unsigned count)
{
    std::vector<unsigned> numbers(count);
    std::iota(numbers.begin(), numbers.end(), 1U);
    return numbers;
}

} // namespace

/// Has the pool's operations take turns: holds the turn for a scope.
class Pool::Turn {
public:
    explicit Turn(Pool& pool) noexcept : pool_{&pool} { pool.turn_taken_ = true; }
    Turn(Turn&& other) noexcept : pool_{std::exchange(other.pool_, nullptr)} {}
    Turn& operator=(Turn&&) = delete;
    ~Turn()
    {
        if (pool_ != nullptr) {
            pool_->turn_taken_ = false;
            pool_->changed_.notify_all();
        }
    }

private:
    Pool* pool_;
};

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
                                             unsigned generation, std::vector<Slot>& replaced)
{
    std::vector<Slot> trials;
    for (const unsigned number : numbers) {
        if (config->reload.max_surge == 0 &&
            config->reload.strategy == ReloadConfig::Strategy::rolling)
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
        co_return failed(reason);
    }

    for (const auto& trial : trials) {
        auto& place = slots_[trial->place().slot - 1];
        std::erase(leaving_, trial);
        place->unroute();
        trial->route();
        replaced.push_back(std::exchange(place, trial));
        if (!replaced.back()->has_failed())
            leaving_.push_back(replaced.back());
        if (config->reload.soak == config->reload.soak.zero())
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
        .reason = fmt::format("{}: {}", successor->place().label, successor->last_failure())};
}

/// Gives the places back to those that wait behind their successors.
void Pool::put_back(const std::vector<Slot>& replaced)
{
    for (const auto& old : replaced) {
        auto& place = slots_[old->place().slot - 1];
        std::erase(leaving_, old);
        old->route();
        const auto successor = std::exchange(place, old);
        if (!successor->has_failed())
            leaving_.push_back(successor);
        dismiss(successor);
    }
}

asio::awaitable<Outcome> Pool::replace(std::vector<unsigned> numbers,
                                       std::shared_ptr<const PoolConfig> config,
                                       unsigned generation)
{
    const auto& rule = config->reload;
    const std::size_t at_once = rule.strategy == ReloadConfig::Strategy::all_at_once
                                    ? numbers.size()
                                : rule.max_surge > 0 ? rule.max_surge
                                                     : rule.max_unavailable;
    std::vector<Slot> replaced;
    Outcome outcome;
    for (std::size_t done = 0; done < numbers.size() && outcome.is_done(); done += at_once) {
        const auto first = numbers.begin() + static_cast<std::ptrdiff_t>(done);
        const auto last =
            numbers.begin() + static_cast<std::ptrdiff_t>(std::min(done + at_once, numbers.size()));
        const std::vector<unsigned> batch{first, last};
        outcome = co_await replace_batch(batch, config, generation, replaced);
        end_oldest_generations(rule.max_old_generations);
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
        auto config = std::make_shared<PoolConfig>(old->config());
        config->reload = {}; // one after the other, and for good
        const std::vector<unsigned> batch(1, old->place().slot);
        const auto outcome =
            co_await replace_batch(batch, config, old->place().generation, ignored);
        if (!outcome.is_done())
            publish(EventKind::note, log::Level::error,
                    "the old generation cannot be started again: " + outcome.reason,
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

asio::awaitable<Outcome> Pool::resize(std::shared_ptr<const PoolConfig> config)
{
    std::vector<Slot> added;
    for (auto number = static_cast<unsigned>(slots_.size()) + 1; number <= config->workers;
         ++number) {
        added.push_back(make_slot(number, WorkerSlot::Mode::trial, config, generation_));
        leaving_.push_back(added.back());
        launch(added.back());
    }
    for (const auto& slot : added) {
        if (co_await become_ready(slot))
            continue;
        auto outcome = failed(fmt::format("{}: {}", slot->place().label,
                                          stopping_ ? "usher is stopping" : slot->last_failure()));
        for (const auto& other : added)
            dismiss(other);
        co_return outcome;
    }
    for (const auto& slot : added) {
        std::erase(leaving_, slot);
        slots_.push_back(slot);
        slot->route();
    }
    while (slots_.size() > config->workers) {
        auto last = std::move(slots_.back());
        slots_.pop_back();
        if (!last->has_failed())
            leaving_.push_back(last);
        dismiss(last);
    }
    co_return Outcome{};
}

asio::awaitable<Outcome> Pool::scale(unsigned workers)
{
    const auto turn = co_await take_turn();
    if (stopping_)
        co_return failed("usher is stopping");

    auto next = std::make_shared<PoolConfig>(*config_);
    const auto before = std::exchange(next->workers, workers);
    auto outcome = co_await resize(next);
    if (outcome.is_done()) {
        adopt(next);
        publish(
            EventKind::scaled, log::Level::info,
            fmt::format("pool \"{}\" scaled from {} to {} workers", config_->name, before, workers),
            generation_);
    }
    co_return outcome;
}

asio::awaitable<Outcome> Pool::restart(unsigned slot)
{
    const auto turn = co_await take_turn();
    if (stopping_)
        co_return failed("usher is stopping");
    auto numbers =
        slot != 0 ? std::vector<unsigned>(1, slot) : up_to(static_cast<unsigned>(slots_.size()));
    co_return co_await replace(std::move(numbers), config_, generation_);
}

asio::awaitable<Outcome> Pool::drain(unsigned slot)
{
    const auto turn = co_await take_turn();
    if (stopping_)
        co_return failed("usher is stopping");
    const auto drained = slots_[slot - 1];
    dismiss(drained);
    while (drained->worker() != nullptr)
        co_await changed_.wait();
    co_return Outcome{};
}

/// `config` is the pool's from now on, also for workers that are not replaced.
void Pool::adopt(std::shared_ptr<const PoolConfig> config)
{
    config_ = std::move(config);
    for (const auto& slot : slots_)
        slot->set_config(config_);
}

std::string Pool::plan(const PoolConfig& next) const
{
    std::string text = fmt::format("pool \"{}\": ", config_->name);
    if (keeps_workers(*config_, next))
        text += "the workers stay";
    else
        text +=
            fmt::format("generation {} replaces generation {}, {}", generation_ + 1, generation_,
                        next.reload.strategy == ReloadConfig::Strategy::rolling ? "slot by slot"
                                                                                : "all at once");
    if (next.workers != slots_.size())
        text += fmt::format(", {} workers become {}", slots_.size(), next.workers);
    const auto lists = [](const PoolConfig& config, const ListenConfig& listen) {
        return std::ranges::any_of(
            config.listen, [&](const auto& entry) { return entry.address == listen.address; });
    };
    for (const auto& listen : next.listen)
        if (!lists(*config_, listen))
            text += ", opens " + listen.address;
    for (const auto& listen : config_->listen)
        if (!lists(next, listen))
            text += ", closes " + listen.address;
    return text;
}

asio::awaitable<Outcome> Pool::reload(std::shared_ptr<const PoolConfig> next, ListenerChange change)
{
    const auto turn = co_await take_turn();
    if (stopping_)
        co_return failed("usher is stopping");

    Outcome outcome;
    if (!keeps_workers(*config_, *next)) {
        // First the places there are, so that a failure finds their old workers.
        const unsigned generation = generation_ + 1;
        auto numbers = up_to(static_cast<unsigned>(slots_.size()));
        outcome = co_await replace(std::move(numbers), next, generation);
        if (outcome.is_done())
            generation_ = generation;
    }
    if (outcome.is_done())
        outcome = co_await resize(next);
    if (outcome.is_done() && !stopping_) {
        listeners_.commit(*next, std::move(change));
        adopt(std::move(next));
    }
    co_return outcome;
}

} // namespace usher
