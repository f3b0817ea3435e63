// SPDX-License-Identifier: MIT
// What can be asked of a pool: reload, restart, drain, scale.
#include "balancer/config/keys.hpp"
#include "balancer/pool/pool_turn.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

std::vector<unsigned> up_to(unsigned count)
{
    std::vector<unsigned> numbers(count);
    std::iota(numbers.begin(), numbers.end(), 1U);
    return numbers;
}

} // namespace

asio::awaitable<Outcome> Pool::enter_service()
{
    const auto turn = co_await take_turn();
    for (const auto& slot : slots_) {
        if (co_await become_ready(slot))
            continue;
        co_return Outcome::failure(
            stopping_ ? std::string{"usher is stopping"}
                      : fmt::format("{}: {}", slot->place().label, slot->last_failure()));
    }
    for (const auto& slot : slots_)
        slot->route();
    intake_->start();
    co_return Outcome{};
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
        auto outcome = Outcome::failure(fmt::format(
            "{}: {}", slot->place().label, stopping_ ? "usher is stopping" : slot->last_failure()));
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
        if (!last->has_ended())
            leaving_.push_back(last);
        dismiss(last);
        intake_->give_up_slot(last->place().slot);
    }
    co_return Outcome{};
}

asio::awaitable<Outcome> Pool::scale(unsigned workers)
{
    const auto turn = co_await take_turn();
    if (stopping_)
        co_return Outcome::failure("usher is stopping");

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
        co_return Outcome::failure("usher is stopping");
    if (slot > slots_.size())
        co_return Outcome::failure("there is no such slot any more");
    auto numbers =
        slot != 0 ? std::vector<unsigned>(1, slot) : up_to(static_cast<unsigned>(slots_.size()));
    co_return co_await replace(std::move(numbers), config_, generation_, config_->reload);
}

asio::awaitable<Outcome> Pool::drain(unsigned slot)
{
    Slot drained;
    {
        const auto turn = co_await take_turn();
        if (stopping_)
            co_return Outcome::failure("usher is stopping");
        if (slot > slots_.size())
            co_return Outcome::failure("there is no such slot any more");
        drained = slots_[slot - 1];
        dismiss(drained);
        intake_->give_up_slot(slot);
    }
    while (drained->worker() != nullptr) // others may go on meanwhile, for as long as it takes
        co_await changed_.wait();
    co_return Outcome{};
}

asio::awaitable<Outcome> Pool::drain_all()
{
    const auto turn = co_await take_turn();
    if (stopping_)
        co_return Outcome::failure("usher is stopping");
    for (const auto& slot : slots_)
        dismiss(slot);
    co_return Outcome{};
}

void Pool::send_message(unsigned slot, const std::shared_ptr<const ProgramMessage>& message,
                        Broadcast& broadcast)
{
    for (const auto* const places : {&slots_, &leaving_})
        for (const auto& place : *places)
            if (auto* const worker = place->worker();
                worker != nullptr && (slot == 0 || slot == place->place().slot))
                broadcast.add(place->place().label, worker->send_message(message));
}

/// `config` is the pool's from now on, also for workers that are not replaced.
void Pool::adopt(std::shared_ptr<const PoolConfig> config)
{
    config_ = std::move(config);
    for (const auto* const places : {&slots_, &leaving_})
        for (const auto& slot : *places)
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
        co_return Outcome::failure("usher is stopping");

    // Where the workers stay, places that have failed or were drained get one again all the same.
    const bool keeps = keeps_workers(*config_, *next);
    auto numbers = up_to(static_cast<unsigned>(slots_.size()));
    if (keeps)
        std::erase_if(numbers, [this](unsigned n) { return !slots_[n - 1]->is_over(); });

    // First the places there are, so that a failure finds their old workers.
    const unsigned generation = keeps ? generation_ : generation_ + 1;
    auto outcome = co_await replace(std::move(numbers), next, generation, next->reload);
    if (outcome.is_done())
        generation_ = generation;
    if (outcome.is_done())
        outcome = co_await resize(next);
    if (outcome.is_done() && !stopping_) {
        intake_->commit(*next, std::move(change));
        adopt(std::move(next));
    }
    co_return outcome;
}

} // namespace usher
