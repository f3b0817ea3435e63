// SPDX-License-Identifier: MIT
#include "balancer/pool/exchange.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <compare>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace usher::exchange_test {

using namespace std::chrono_literals;

namespace {

using Kind = Exchange::Action::Kind;
using ResultKind = Exchange::Result::Kind;
using Worker = Exchange::Worker;

constexpr Exchange::Clock::time_point begin_of_time{};

/// The workers that a pool would have, and what must be true of them at every moment.
struct World {
    struct Member {
        unsigned place;
        bool is_new;
        bool trial = true;
        bool routed = false;
        bool ready = false;
        bool leaving = false;
        friend auto operator<=>(const Member&, const Member&) = default;
    };

    Exchange exchange;
    std::map<Worker, Member> members;
    std::map<Worker, bool> generation; ///< of everybody who ever was: true if new
    Exchange::Rule rule;
    unsigned before = 0;
    unsigned after = 0;
    std::set<unsigned> replaced;
    std::set<unsigned> served; ///< places that had a worker when the operation began
    std::set<unsigned> lost;   ///< places whose worker ended by itself
    bool is_new_generation = true;
    bool began = false;
    bool closed = false;
    bool stopped = false;
    bool time_came = false;
    int faults = 0;

    friend auto operator<=>(const World& a, const World& b)
    {
        return std::tie(a.exchange, a.members, a.faults, a.time_came, a.lost) <=>
               std::tie(b.exchange, b.members, b.faults, b.time_came, b.lost);
    }

    [[nodiscard]] Exchange::Clock::time_point now() const
    {
        return begin_of_time + (time_came ? 1h : 0h);
    }

    void carry_out()
    {
        while (const auto action = exchange.next(now())) {
            const auto [kind, place, worker, like] = *action;
            switch (kind) {
            case Kind::start: {
                REQUIRE_FALSE(closed);
                const bool is_new = like == 0 ? began : generation.at(like);
                REQUIRE(members.emplace(worker, Member{.place = place, .is_new = is_new}).second);
                generation[worker] = is_new;
                break;
            }
            case Kind::keep:
                members.at(worker).trial = false;
                break;
            case Kind::route:
                REQUIRE_FALSE(closed);
                members.at(worker).routed = true;
                break;
            case Kind::unroute:
                members.at(worker).routed = false;
                break;
            case Kind::stop:
                REQUIRE_FALSE(members.at(worker).leaving);
                members.at(worker).leaving = true;
                break;
            case Kind::vacate:
                break;
            }
            check_numbers();
        }
        check_places();
    }

    [[nodiscard]] const Member* serving(unsigned place) const
    {
        for (const auto& [worker, member] : members)
            if (member.place == place && member.routed && !member.leaving)
                return &member;
        return nullptr;
    }

    void check_numbers() const
    {
        const auto places = std::max(before, after);
        const auto counts = [&](bool with_leaving) {
            return static_cast<std::size_t>(std::ranges::count_if(members, [&](const auto& entry) {
                const auto& member = entry.second;
                const bool parked = !member.trial && !member.routed;
                return with_leaving || (!member.leaving && !parked);
            }));
        };
        if (rule.successor_first)
            REQUIRE(counts(false) <= places + rule.at_once);
        else if (!stopped)
            REQUIRE(counts(true) <= places);
    }

    void check_places()
    {
        if (closed)
            REQUIRE((exchange.is_idle() && exchange.places() <= std::max(before, after)));
        if (!began || closed)
            return;
        std::size_t unserved = 0;
        for (const auto place : served) {
            const auto* const worker = serving(place);
            const bool goes = place > after;
            if ((worker == nullptr || !worker->ready) && !goes && !lost.contains(place))
                ++unserved;
        }
        REQUIRE(unserved <= (rule.successor_first ? 0 : rule.at_once));
        if (exchange.is_idle())
            check_end();
    }

    void check_end() const
    {
        const auto& result = exchange.result();
        const bool done = result.kind == ResultKind::done;
        REQUIRE(exchange.places() == (done ? after : before));
        for (const auto& [worker, member] : members) {
            if (member.leaving)
                continue;
            REQUIRE(member.routed); // nobody is forgotten
            REQUIRE_FALSE(member.trial);
            REQUIRE(exchange.current(member.place) == worker);
        }
        for (unsigned place = 1; place <= exchange.places(); ++place) {
            const auto* const worker = serving(place);
            if (served.contains(place) && !lost.contains(place))
                REQUIRE(worker != nullptr);
            if (worker == nullptr)
                continue;
            const bool left_new = std::ranges::count(result.left_new, place) > 0;
            if (!done && served.contains(place) && !lost.contains(place) && !worker->ready)
                REQUIRE((std::ranges::count(result.awaited, place) > 0 || !rule.successor_first));
            if (done)
                REQUIRE(worker->is_new == (replaced.contains(place) || place > before));
            else if (is_new_generation)
                REQUIRE(worker->is_new == left_new);
        }
    }

    /// Everything that may happen next, each as a world of its own.
    [[nodiscard]] std::vector<World> futures(bool with_stop, int most_faults) const
    {
        std::vector<World> worlds;
        const auto with = [&](auto&& change) {
            World world = *this;
            change(world);
            world.carry_out();
            worlds.push_back(std::move(world));
        };
        for (const auto& [id, member] : members) {
            const auto worker = id;
            if (member.leaving || (member.trial && faults < most_faults))
                with([worker](World& world) { world.end(worker); });
            if (!member.leaving && !member.ready)
                with([worker](World& world) {
                    world.members.at(worker).ready = true;
                    world.exchange.on_ready(worker);
                });
            if (!member.leaving && member.ready && faults < most_faults)
                with([worker](World& world) { world.crash(worker); });
            if (!member.leaving && !member.trial && faults < most_faults)
                with([worker](World& world) { world.end(worker); }); // gives up
        }
        if (exchange.deadline() && !time_came)
            with([](World& world) { world.time_came = true; });
        if (with_stop && !closed)
            with([](World& world) {
                world.closed = true;
                world.exchange.close();
            });
        if ((with_stop || closed) && !stopped)
            with([](World& world) {
                world.closed = world.stopped = true;
                world.exchange.stop();
            });
        return worlds;
    }

    void end(Worker worker)
    {
        const auto member = members.at(worker);
        members.erase(worker);
        if (!member.leaving) {
            ++faults;
            if (member.routed)
                lost.insert(member.place);
        }
        exchange.on_ended(worker);
    }

    void crash(Worker worker)
    {
        auto& member = members.at(worker);
        member.ready = false;
        ++faults;
        lost.insert(member.place);
        exchange.on_down(worker);
    }
};

struct Case {
    unsigned places = 0;
    unsigned after = 0;
    std::vector<unsigned> empty;
    Exchange::Rule rule;
    bool is_new_generation = true;
    std::vector<unsigned> replaced;
};

World world_of(const Case& c)
{
    World world;
    world.rule = c.rule;
    world.before = c.places;
    world.after = c.after;
    world.is_new_generation = c.is_new_generation;
    world.exchange.fill(c.places);
    world.carry_out();
    for (auto& [worker, member] : world.members) {
        member.ready = true;
        world.exchange.on_ready(worker);
    }
    for (const auto place : c.empty) {
        const auto worker = world.exchange.current(place);
        world.members.erase(worker);
        world.exchange.on_ended(worker);
    }
    for (const auto& [worker, member] : world.members)
        world.served.insert(member.place);
    world.replaced = {c.replaced.begin(), c.replaced.end()};
    world.began = true;
    world.exchange.begin({.replaced = c.replaced,
                          .places = c.after,
                          .rule = c.rule,
                          .is_new_generation = c.is_new_generation});
    world.carry_out();
    return world;
}

/// Follows every order of events to its end; tells how many worlds there were.
std::size_t explore(const Case& c, bool with_stop, int most_faults)
{
    std::set<World> seen;
    std::vector<World> open{world_of(c)};
    while (!open.empty()) {
        const auto world = std::move(open.back());
        open.pop_back();
        if (!seen.insert(world).second)
            continue;
        if (world.exchange.is_idle() && !world.closed)
            continue; // its end is checked
        auto futures = world.futures(with_stop, most_faults);
        if (futures.empty()) {
            REQUIRE(world.stopped); // otherwise it waits for ever
            REQUIRE(world.members.empty());
            REQUIRE(world.exchange.is_idle());
        }
        for (auto& future : futures)
            open.push_back(std::move(future));
    }
    return seen.size();
}

std::vector<unsigned> up_to(unsigned count)
{
    std::vector<unsigned> numbers;
    for (unsigned number = 1; number <= count; ++number)
        numbers.push_back(number);
    return numbers;
}

std::vector<Exchange::Rule> all_rules(unsigned places)
{
    std::vector<Exchange::Rule> rules;
    for (const auto soak : {0ms, 1000ms})
        for (const bool successor_first : {true, false})
            for (std::size_t at_once = 1; at_once <= places; ++at_once)
                rules.push_back(
                    {.at_once = at_once, .successor_first = successor_first, .soak = soak});
    return rules;
}

/// An exchange whose workers are ready, and the actions that come next, as text: "start 3@1".
struct Script {
    Exchange exchange;

    explicit Script(unsigned places)
    {
        exchange.fill(places);
        std::ignore = actions();
        for (unsigned place = 1; place <= places; ++place)
            exchange.on_ready(exchange.current(place));
    }

    std::string actions(Exchange::Clock::time_point now = begin_of_time)
    {
        static const std::map<Kind, std::string> names{
            {Kind::start, "start"},     {Kind::keep, "keep"}, {Kind::route, "route"},
            {Kind::unroute, "unroute"}, {Kind::stop, "stop"}, {Kind::vacate, "vacate"}};
        std::string text;
        while (const auto action = exchange.next(now))
            text += (text.empty() ? "" : ", ") +
                    (action->like != 0 ? "again" : names.at(action->kind)) + " " +
                    std::to_string(action->worker) + "@" + std::to_string(action->place);
        return text;
    }
};

} // namespace

TEST_CASE("a successor is routed before its predecessor leaves")
{
    Script script{1};
    script.exchange.begin({.replaced = {1}, .places = 1, .is_new_generation = true});
    CHECK(script.actions() == "start 2@1");
    script.exchange.on_ready(2);
    CHECK(script.actions() == "keep 2@1, route 2@1, stop 1@1");
    CHECK(script.exchange.is_idle());
    CHECK(script.exchange.result().kind == ResultKind::done);
}

TEST_CASE("without surge the old worker has ended before the new one starts, and comes back")
{
    Script script{1};
    script.exchange.begin({.replaced = {1},
                           .places = 1,
                           .rule = {.at_once = 1, .successor_first = false, .soak = 1s},
                           .is_new_generation = true});
    CHECK(script.actions() == "stop 1@1");
    script.exchange.on_ended(1);
    CHECK(script.actions() == "start 2@1");
    script.exchange.on_ready(2);
    CHECK(script.actions() == "route 2@1");
    CHECK(script.exchange.deadline() == begin_of_time + 1s);
    script.exchange.on_ended(2); // it crashes in its soak
    CHECK(script.actions() == "again 3@1");
    script.exchange.on_ended(3); // so does another of the old kind: it is tried for ever
    CHECK(script.actions() == "again 4@1, keep 4@1, route 4@1");
    CHECK(script.exchange.is_idle());
    CHECK(script.exchange.result().kind == ResultKind::rolled_back);
    CHECK(script.exchange.result().culprit == 2);
}

TEST_CASE("a successor that was ready and dies while others start keeps all the old ones")
{
    Script script{2};
    script.exchange.begin(
        {.replaced = {1, 2}, .places = 2, .rule = {.at_once = 2}, .is_new_generation = true});
    CHECK(script.actions() == "start 3@1, start 4@2");
    script.exchange.on_ready(3);
    script.exchange.on_ended(3);
    CHECK(script.actions() == "stop 4@2");
    CHECK(script.exchange.result().kind == ResultKind::failed);
    CHECK(script.exchange.result().culprit == 3);
    CHECK(script.exchange.current(1) == 1);
}

TEST_CASE("an added worker comes first, so that its failure finds the old generation whole")
{
    Script script{2};
    script.exchange.begin({.replaced = {1, 2}, .places = 3, .is_new_generation = true});
    CHECK(script.actions() == "start 3@3");
    script.exchange.on_ended(3);
    CHECK(script.actions() == "vacate 0@3");
    CHECK(script.exchange.result().kind == ResultKind::failed);
    CHECK(script.exchange.places() == 2);
}

TEST_CASE("what replaces nobody does not soak")
{
    Script script{2};
    script.exchange.begin({.replaced = {}, .places = 1, .rule = {.soak = 1h}});
    CHECK(script.actions() == "stop 2@2, vacate 2@2");
    CHECK(script.exchange.is_idle());
}

TEST_CASE("a drained place has nobody until something fills it")
{
    Script script{2};
    script.exchange.drain(2);
    CHECK(script.actions() == "stop 2@2, vacate 2@2");
    script.exchange.on_ended(2);
    script.exchange.begin({.replaced = {2}, .places = 2});
    CHECK(script.actions() == "start 3@2");
    script.exchange.on_ready(3);
    CHECK(script.actions() == "keep 3@2, route 3@2");
    CHECK(script.exchange.current(2) == 3);
}

TEST_CASE("whether fewer places would have nobody who serves is known")
{
    Script script{3};
    auto& exchange = script.exchange;
    for (const Exchange::Worker worker : {1U, 2U, 3U})
        exchange.on_down(worker);
    CHECK_FALSE(exchange.would_lose_all(1)); // nobody serves
    exchange.on_ready(2);
    CHECK(exchange.would_lose_all(1));
    CHECK_FALSE(exchange.would_lose_all(2));
    exchange.on_ready(1);
    CHECK_FALSE(exchange.would_lose_all(1));
    exchange.on_down(1);
    CHECK(exchange.would_lose_all(1));
    exchange.drain(2);
    CHECK(script.actions() == "stop 2@2, vacate 2@2");
    CHECK_FALSE(exchange.would_lose_all(1));
    exchange.on_ready(3);
    CHECK(exchange.would_lose_all(2));
    CHECK_FALSE(exchange.would_lose_all(3));

    exchange.begin({.replaced = {1, 2}, .places = 2, .rule = {.at_once = 2}});
    CHECK(script.actions() == "start 4@2");
    exchange.on_ready(4);
    CHECK(script.actions() == "keep 4@2, route 4@2, start 5@1");
    exchange.on_ready(5);
    CHECK(script.actions() == "keep 5@1, route 5@1, stop 1@1, stop 3@3, vacate 3@3");
}

TEST_CASE("who was only going to start does not, once usher stops")
{
    Script script{1};
    script.exchange.begin({.replaced = {1}, .places = 1});
    CHECK(script.exchange.next(begin_of_time)->kind == Kind::start);
    script.exchange.on_ready(2);
    const auto keep = script.exchange.next(begin_of_time);
    CHECK(keep->kind == Kind::keep);
    script.exchange.stop();
    CHECK(script.actions() == "stop 1@1, stop 2@1");
}

TEST_CASE("places that were only going to be added are not there once usher stops")
{
    Script script{2};
    script.exchange.begin({.replaced = {}, .places = 4});
    CHECK(script.actions() == "start 3@3, start 4@4");
    script.exchange.close();
    CHECK(script.exchange.places() == 2);
    CHECK(script.actions().empty());
    script.exchange.stop();
    CHECK(script.actions() == "stop 1@1, stop 2@2, stop 3@3, stop 4@4");
}

TEST_CASE("a soak does not end well while a successor is being ended")
{
    Script script{1};
    script.exchange.begin(
        {.replaced = {1}, .places = 1, .rule = {.soak = 1s}, .is_new_generation = true});
    CHECK(script.actions() == "start 2@1");
    script.exchange.on_ready(2);
    CHECK(script.actions() == "route 2@1, unroute 1@1");
    script.exchange.on_down(2); // it hangs, and has had its signal
    CHECK(script.actions(begin_of_time + 2s).empty());
    CHECK_FALSE(script.exchange.is_idle());
    CHECK_FALSE(script.exchange.deadline());
    script.exchange.on_ended(2);
    CHECK(script.actions(begin_of_time + 3s) == "route 1@1");
    CHECK(script.exchange.result().kind == ResultKind::rolled_back);
}

TEST_CASE("an operation that usher's end cuts short has not been done")
{
    Script script{2};
    script.exchange.begin({.replaced = {1, 2}, .places = 2});
    CHECK(script.actions() == "start 3@1");
    script.exchange.stop();
    CHECK(script.actions() == "stop 1@1, stop 2@2, stop 3@1");
    CHECK(script.exchange.is_idle());
    CHECK(script.exchange.result().kind == ResultKind::stopped);
}

TEST_CASE("no order of events breaks an exchange of up to three places")
{
    std::size_t worlds = 0;
    for (unsigned places = 1; places <= 3; ++places)
        for (const auto& rule : all_rules(places))
            for (const bool is_new_generation : {true, false})
                worlds += explore({.places = places,
                                   .after = places,
                                   .empty = {},
                                   .rule = rule,
                                   .is_new_generation = is_new_generation,
                                   .replaced = up_to(places)},
                                  places < 3, places < 3 ? 2 : 1);
    MESSAGE(worlds << " worlds");
}

TEST_CASE("no order of events breaks an exchange that also adds, removes or fills places")
{
    for (const auto& rule : all_rules(2))
        for (const bool is_new_generation : {true, false})
            for (const unsigned after : {1U, 2U, 3U})
                for (const auto& empty : {std::vector<unsigned>{}, {1}, {2}, {1, 2}})
                    explore({.places = 2,
                             .after = after,
                             .empty = empty,
                             .rule = rule,
                             .is_new_generation = is_new_generation,
                             .replaced = up_to(std::min(after, 2U))},
                            true, 1);
}

TEST_CASE("random orders of events do not break exchanges of many places")
{
    std::minstd_rand dice{20};
    for (int round = 0; round < 400; ++round) {
        const auto places = 1 + static_cast<unsigned>(dice() % 8);
        const auto after = 1 + static_cast<unsigned>(dice() % 8);
        const auto rules = all_rules(places);
        const Case c{.places = places,
                     .after = after,
                     .empty = dice() % 2 == 0
                                  ? std::vector<unsigned>{}
                                  : std::vector<unsigned>{1 + unsigned(dice() % places)},
                     .rule = rules[dice() % rules.size()],
                     .is_new_generation = dice() % 2 == 0,
                     .replaced = up_to(std::min(places, after))};
        auto world = world_of(c);
        const int most_faults = static_cast<int>(dice() % 4);
        for (int step = 0; step < 2'000; ++step) {
            if (world.exchange.is_idle() && !world.closed)
                break;
            auto futures = world.futures(dice() % 50 == 0, most_faults);
            if (futures.empty()) {
                REQUIRE(world.stopped);
                REQUIRE(world.members.empty());
                break;
            }
            world = std::move(futures[dice() % futures.size()]);
        }
        REQUIRE(world.exchange.is_idle());
    }
}

} // namespace usher::exchange_test
