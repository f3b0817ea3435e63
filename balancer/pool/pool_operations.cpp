// SPDX-License-Identifier: MIT
// What can be asked of a pool: reload, restart, drain, scale, recycle.
#include "balancer/config/keys.hpp"
#include "balancer/config/units/limits.hpp"
#include "balancer/pool/pool.hpp"
#include "common/text/counted.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <numeric>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

using Clock = std::chrono::steady_clock;

std::vector<unsigned> up_to(unsigned count)
{
    std::vector<unsigned> numbers(count);
    std::iota(numbers.begin(), numbers.end(), 1U);
    return numbers;
}

/// Those that are meant by `slot` where there are `count`; 0: all.
std::vector<unsigned> meant(unsigned slot, unsigned count)
{
    return slot != 0 ? std::vector<unsigned>(1, slot) : up_to(count);
}

constexpr std::chrono::milliseconds no_soak{0};

/// The number that `text` means where there are `now`: "4", "+1", "-2"; nothing if it is none or
/// out of range.
std::optional<unsigned> wanted_workers(std::string_view text, unsigned now)
{
    const bool more = text.starts_with('+');
    const bool less = text.starts_with('-');
    int number = 0;
    const char* const begin = text.data() + (more ? 1 : 0);
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(begin, end, number);
    const long wanted = (more || less ? long{now} : 0L) + number;
    if (error != std::errc{} || rest != end || text.starts_with("+-") ||
        wanted < workers_range.least || wanted > workers_range.most)
        return std::nullopt;
    return static_cast<unsigned>(wanted);
}

/// What `config` says, for an operation on `count` places.
Exchange::Rule rule_of(const ReloadConfig& config, std::size_t count,
                       std::chrono::milliseconds soak)
{
    const bool all = config.strategy == ReloadConfig::Strategy::all_at_once;
    const bool has_surge = config.max_surge > 0;
    return {.at_once = all         ? count
                       : has_surge ? config.max_surge
                                   : config.max_unavailable,
            .successor_first = all || has_surge,
            .soak = soak};
}

} // namespace

template <typename Operation>
asio::awaitable<Outcome> Pool::in_turn(Operation operation, unsigned slot)
{
    while (turn_taken_)
        co_await changed_.wait();
    if (is_stopping())
        co_return Outcome::failure("usher is stopping");
    if (has_ended_)
        co_return Outcome::failure(
            fmt::format("pool \"{}\" has given up; a reload brings it back", config_->name));
    if (slot > places())
        co_return Outcome::failure("there is no such slot any more");
    turn_taken_ = true;
    Outcome outcome;
    std::exception_ptr failure;
    try {
        outcome = co_await operation();
    } catch (...) {
        failure = std::current_exception();
    }
    turn_taken_ = false;
    changed_.notify_all();
    if (failure)
        std::rethrow_exception(failure);
    co_return outcome;
}

asio::awaitable<Outcome> Pool::enter_service()
{
    return in_turn([this]() -> asio::awaitable<Outcome> {
        Exchange::Plan plan{.places = config_->workers,
                            .rule = rule_of(config_->reload, config_->workers, no_soak),
                            .is_new_generation = true};
        auto outcome = co_await carry_out(std::move(plan), config_, generation_);
        if (outcome.is_done() && !is_stopping())
            shared_.intake->start();
        co_return outcome;
    });
}

asio::awaitable<Outcome> Pool::scale(std::string wanted)
{
    return in_turn([this, wanted = std::move(wanted)]() -> asio::awaitable<Outcome> {
        const unsigned before = config_->workers;
        const auto workers = wanted_workers(wanted, before);
        if (!workers)
            co_return Outcome::bad_request(fmt::format(
                "\"{}\" of {} is not a number from {} to {}; write e.g. 4, +1 or -1", wanted,
                counted(before, "worker"), workers_range.least, workers_range.most));
        auto next = std::make_shared<ResolvedPool>(*config_);
        next->workers = *workers;
        Exchange::Plan plan{.places = *workers};
        if (exchange_.would_lose_all(*workers)) // somebody must come before they go
            plan.replaced = up_to(*workers);
        auto outcome = co_await carry_out(std::move(plan), next, generation_);
        if (outcome.is_done()) {
            adopt(next);
            count_.scale(*workers);
            outcome.message = counted(*workers, "worker");
            events_.publish(EventKind::scaled, log::Level::info,
                            fmt::format("pool \"{}\" scaled from {} to {}", config_->name, before,
                                        outcome.message),
                            generation_);
        }
        co_return outcome;
    });
}

asio::awaitable<Outcome> Pool::restart(unsigned slot)
{
    const auto operation = [this, slot]() -> asio::awaitable<Outcome> {
        auto replaced = meant(slot, places());
        const auto rule = rule_of(config_->reload, replaced.size(), config_->reload.soak);
        Exchange::Plan plan{.replaced = std::move(replaced), .places = places(), .rule = rule};
        auto outcome = co_await carry_out(std::move(plan), config_, generation_);
        if (outcome.is_done())
            outcome.message =
                slot == 0 ? "all workers restarted" : fmt::format("worker {} restarted", slot);
        co_return outcome;
    };
    return in_turn(operation, slot);
}

asio::awaitable<Outcome> Pool::drain(unsigned slot)
{
    std::vector<Slot> drained;
    const auto operation = [this, slot, &drained]() -> asio::awaitable<Outcome> {
        for (const unsigned place : meant(slot, places())) {
            exchange_.drain(place);
            drained.push_back(slots_[place - 1]);
        }
        perform_all();
        co_return Outcome{
            .message = slot == 0 ? "all workers drained"
                                 : fmt::format("worker {0} drained; usher restart {0} fills the "
                                               "slot again",
                                               slot)};
    };
    auto outcome = co_await in_turn(operation, slot);
    for (const auto& each : drained)
        while (each->worker() != nullptr) // others may go on meanwhile, for as long as it takes
            co_await changed_.wait();
    co_return outcome;
}

asio::awaitable<Outcome> Pool::recycle()
{
    return in_turn([this]() -> asio::awaitable<Outcome> {
        const auto now = Clock::now();
        auto numbers = due_places(now); // a reload may have replaced them meanwhile
        if (numbers.empty())
            co_return Outcome{};
        // A few after the others whatever a reload does, and nobody waits behind them: it is the
        // same program.
        auto config = config_->reload;
        config.strategy = ReloadConfig::Strategy::rolling;
        const auto rule = rule_of(config, numbers.size(), no_soak);
        numbers.resize(std::min(numbers.size(), rule.at_once));
        for (const auto number : numbers) {
            const auto* const worker = slots_[number - 1]->worker();
            const auto reason = worker->look_for_recycling(now, memory_patience_.time());
            worker->events().publish(EventKind::recycled, log::Level::info,
                                     "is replaced, because " + reason);
            if (const auto memory = worker->memory(now); memory && memory->is_too_much)
                memory_patience_.on_replaced();
        }
        Exchange::Plan plan{.replaced = std::move(numbers), .places = places(), .rule = rule};
        co_return co_await carry_out(std::move(plan), config_, generation_);
    });
}

void Pool::send_message(unsigned slot, const std::shared_ptr<const ProgramMessage>& message,
                        Broadcast& broadcast)
{
    for (const auto* const places : {&slots_, &leaving_})
        for (const auto& place : *places)
            if (auto* const worker = place->worker();
                worker != nullptr && (slot == 0 || slot == place->identity().slot))
                broadcast.add(place->identity().label, worker->send_message(message));
}

/// `config` is the pool's from now on, also for workers that are not replaced.
void Pool::adopt(std::shared_ptr<const ResolvedPool> config)
{
    memory_patience_ = {};
    config_ = std::move(config);
    for (const auto& slot : slots_)
        if (slot->identity().generation ==
            generation_) // or it runs what a reload could not take back
            slot->set_config(config_);
    for (const auto& slot : leaving_)
        slot->set_config(config_);
    end_oldest_generations(config_->reload.max_old_generations);
}

/// A reload has brought in a configuration that makes it `count`.
void Pool::adopt(WorkerCount count)
{
    const auto before = std::exchange(count_, count);
    if (count.is_scaled())
        events_.publish(EventKind::note, log::Level::info,
                        fmt::format("pool \"{}\" stays scaled to {}; the configuration still says "
                                    "{}",
                                    config_->name, counted(count.wanted(), "worker"),
                                    count.configured()),
                        generation_);
    else if (before.is_scaled() && before.wanted() != count.wanted())
        events_.publish(EventKind::scaled, log::Level::info,
                        fmt::format("pool \"{}\" scaled from {} to {}, as the configuration says "
                                    "since it has changed",
                                    config_->name, before.wanted(),
                                    counted(count.wanted(), "worker")),
                        generation_);
}

/// Where the workers stay: places that have failed, were drained, or run what a reload could not
/// take back get another all the same.
std::vector<unsigned> Pool::places_to_mend() const
{
    std::vector<unsigned> numbers;
    for (const auto& slot : slots_)
        if (slot->is_over() || slot->identity().generation != generation_)
            numbers.push_back(slot->identity().slot);
    return numbers;
}

std::string Pool::plan(const ResolvedPool& next, const ListenerChange& change) const
{
    std::string text = fmt::format("pool \"{}\": ", config_->name);
    if (keeps_workers(*config_, next) && !change.begin)
        text += places_to_mend().empty()
                    ? "the workers stay"
                    : "the workers stay, with another in " + numbered("slot", places_to_mend());
    else
        text += fmt::format(
            "generation {} replaces generation {}, {}", last_generation_ + 1, generation_,
            next.reload.strategy == ReloadConfig::Strategy::rolling ? "slot by slot"
                                                                    : "all at once");
    const auto count = count_.after_reload(next.workers);
    if (count.wanted() != slots_.size())
        text += fmt::format(", {} instead of {}", counted(count.wanted(), "worker"), slots_.size());
    if (count.is_scaled())
        text += fmt::format(", still scaled to {} instead of {}", counted(count.wanted(), "worker"),
                            count.configured());
    for (const auto& listener : change.opens)
        text += ", opens " + listener;
    for (const auto& listener : change.closes)
        text += ", closes " + listener;
    return text;
}

asio::awaitable<Outcome> Pool::reload(std::shared_ptr<const ResolvedPool> next,
                                      ListenerChange change)
{
    const auto operation = [this, &next, &change]() -> asio::awaitable<Outcome> {
        const auto count = count_.after_reload(next->workers);
        if (count.is_scaled()) {
            auto scaled = std::make_shared<ResolvedPool>(*next);
            scaled->workers = count.wanted();
            next = std::move(scaled);
        }
        const bool keeps = keeps_workers(*config_, *next) && !change.begin;
        auto numbers = keeps ? places_to_mend() : up_to(places());
        if (exchange_.would_lose_all(next->workers)) // somebody must come before they go
            numbers = up_to(next->workers);
        std::erase_if(numbers, [&](unsigned number) { return number > next->workers; });

        const unsigned generation = keeps ? generation_ : last_generation_ + 1;
        const auto rule = rule_of(next->reload, numbers.size(), next->reload.soak);
        Exchange::Plan plan{.replaced = std::move(numbers),
                            .places = next->workers,
                            .rule = rule,
                            .is_new_generation = !keeps};
        if (change.begin)
            change.begin();
        auto outcome = co_await carry_out(std::move(plan), next, generation);
        if (outcome.is_done() && !is_stopping()) {
            generation_ = generation;
            last_generation_ = std::max(last_generation_, generation);
            change.commit();
            adopt(std::move(next));
            adopt(count);
        }
        co_return outcome;
    };
    co_return co_await in_turn(operation);
}

} // namespace usher
