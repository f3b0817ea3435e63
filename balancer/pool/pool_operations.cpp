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

constexpr std::chrono::milliseconds no_soak{0};

/// What `config` says, for an operation on `count` places.
Exchange::Rule rule_of(const ReloadConfig& config, std::size_t count,
                       std::chrono::milliseconds soak)
{
    if (config.strategy == ReloadConfig::Strategy::all_at_once)
        return {.at_once = count, .successor_first = true, .soak = soak};
    if (config.max_surge > 0)
        return {.at_once = config.max_surge, .successor_first = true, .soak = soak};
    return {.at_once = config.max_unavailable, .successor_first = false, .soak = soak};
}

} // namespace

asio::awaitable<Outcome> Pool::enter_service()
{
    const auto turn = co_await take_turn();
    Exchange::Plan plan{.places = config_->workers,
                        .rule = rule_of(config_->reload, config_->workers, no_soak),
                        .is_new_generation = true};
    auto outcome = co_await carry_out(std::move(plan), config_, generation_);
    if (outcome.is_done() && !is_stopping())
        intake_->start();
    co_return outcome;
}

asio::awaitable<Outcome> Pool::scale(unsigned workers)
{
    const auto turn = co_await take_turn();
    auto next = std::make_shared<PoolConfig>(*config_);
    const auto before = std::exchange(next->workers, workers);
    Exchange::Plan plan{.places = workers};
    auto outcome = co_await carry_out(std::move(plan), next, generation_);
    if (outcome.is_done()) {
        adopt(next);
        events_.publish(
            EventKind::scaled, log::Level::info,
            fmt::format("pool \"{}\" scaled from {} to {} workers", config_->name, before, workers),
            generation_);
    }
    co_return outcome;
}

asio::awaitable<Outcome> Pool::restart(unsigned slot)
{
    const auto turn = co_await take_turn();
    if (slot > slots_.size())
        co_return Outcome::failure("there is no such slot any more");
    const auto places = exchange_.places();
    Exchange::Plan plan{.replaced = slot != 0 ? std::vector<unsigned>(1, slot) : up_to(places),
                        .places = places,
                        .rule =
                            rule_of(config_->reload, slot != 0 ? 1 : places, config_->reload.soak)};
    co_return co_await carry_out(std::move(plan), config_, generation_);
}

asio::awaitable<Outcome> Pool::drain(unsigned slot)
{
    Slot drained;
    {
        const auto turn = co_await take_turn();
        if (is_stopping())
            co_return Outcome::failure("usher is stopping");
        if (slot > slots_.size())
            co_return Outcome::failure("there is no such slot any more");
        drained = slots_[slot - 1];
        exchange_.drain(slot);
        perform_all();
    }
    while (drained->worker() != nullptr) // others may go on meanwhile, for as long as it takes
        co_await changed_.wait();
    co_return Outcome{};
}

asio::awaitable<Outcome> Pool::drain_all()
{
    const auto turn = co_await take_turn();
    if (is_stopping())
        co_return Outcome::failure("usher is stopping");
    for (const unsigned place : up_to(exchange_.places()))
        exchange_.drain(place);
    perform_all();
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

    // Where the workers stay, places that have failed or were drained get one again all the same.
    const bool keeps = keeps_workers(*config_, *next);
    auto numbers = up_to(std::min(exchange_.places(), next->workers));
    if (keeps)
        std::erase_if(numbers, [this](unsigned number) { return !slots_[number - 1]->is_over(); });

    const unsigned generation = keeps ? generation_ : generation_ + 1;
    const auto rule = rule_of(next->reload, numbers.size(), next->reload.soak);
    Exchange::Plan plan{.replaced = std::move(numbers),
                        .places = next->workers,
                        .rule = rule,
                        .is_new_generation = !keeps};
    auto outcome = co_await carry_out(std::move(plan), next, generation);
    if (outcome.is_done() && !is_stopping()) {
        generation_ = generation;
        intake_->commit(*next, std::move(change));
        adopt(std::move(next));
    }
    co_return outcome;
}

} // namespace usher
