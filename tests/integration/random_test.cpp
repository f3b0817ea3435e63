// SPDX-License-Identifier: MIT
// A seeded program of everything that can happen to a master, at random, under load.
//
//   USHER_TEST_RANDOM_SECONDS   how long (15)
//   USHER_TEST_RANDOM_SEED      which one (1)
#include "tests/support/build.hpp"
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/process_facts.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace usher::random_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned clients = 4;

unsigned number_from(const char* variable, unsigned otherwise)
{
    const char* const text = std::getenv(variable);
    return text == nullptr ? otherwise : static_cast<unsigned>(std::stoul(text));
}

/// What happens to the master, chosen by dice.
class Chaos {
public:
    Chaos(UsherProcess& usher, ConfigFile& config, unsigned seed)
        : usher_{usher}, config_{config}, dice_{seed}
    {
    }

    void act()
    {
        const std::vector<std::function<void()>> acts{
            [this] {
                ask({"reload"}, {0, 1, 5});
            },
            [this] {
                change_config();
                ask({"reload"}, {0, 1, 5});
            },
            [this] { begin(); },
            [this] {
                ask({"scale", std::to_string(roll(1, 5)), "--pool", "default"}, {0, 1});
            },
            [this] {
                // The slot may be gone by then.
                ask({"restart", std::to_string(roll(1, 4)), "--pool", "default"}, {0, 1, 2});
            },
            [this] {
                ask({"restart", "all", "--pool", "default"}, {0, 1});
            },
            [this] { drain_and_restart(); },
            [this] { kill_somebody(); },
            [this] { kill_somebody(); },
            [this] { send(SIGHUP); },
            [this] { send(SIGTTIN); },
            [this] { send(SIGTTOU); },
            [this] { send(SIGUSR1); },
            [this] {
                send(SIGWINCH);
                send(SIGHUP);
            },
            [this] { suspend(); },
        };
        acts[roll(0, static_cast<unsigned>(acts.size()) - 1)]();
        // Nobody else reads its standard error: for some time it is stuck.
        if (unread_acts_ > 0)
            --unread_acts_;
        else if (roll(0, 15) == 0)
            unread_acts_ = roll(5, 30);
        else
            std::ignore = usher_.log();
    }

    /// Begins something that takes its time, and does not wait for it.
    void begin()
    {
        change_config();
        send(SIGHUP);
        const std::vector<std::function<void()>> acts{
            [] {},
            [this] { kill_somebody(); },
            [this] { send(SIGTTIN); },
            [this] { send(SIGWINCH); },
            [this] { send(SIGHUP); },
            [this] { std::ignore = usher_.log(); },
        };
        for (unsigned more = roll(0, 3); more > 0; --more)
            acts[roll(0, static_cast<unsigned>(acts.size()) - 1)]();
    }

    /// How often a worker was killed.
    [[nodiscard]] unsigned kills() const noexcept { return kills_; }

private:
    unsigned roll(unsigned least, unsigned most)
    {
        return std::uniform_int_distribution{least, most}(dice_);
    }

    void ask(const std::vector<std::string>& words, const std::vector<int>& codes)
    {
        const auto result = usher_.command(words);
        INFO(words.front() << ": " << result.output);
        CHECK(std::ranges::find(codes, result.code) != codes.end());
    }

    void send(int number) { usher_.signal(number); }

    void change_config()
    {
        config_.pool["workers"] = roll(1, 4);
        config_.pool["max_queue"] = roll(8, 64);
        config_.pool["max_connections"] = roll(0, 2) * 150;
        config_.pool["reload"] = {{"strategy", roll(0, 1) == 0 ? "rolling" : "all-at-once"},
                                  {"max_surge", roll(0, 3)},
                                  {"max_unavailable", roll(1, 2)},
                                  {"soak", roll(0, 3) == 0 ? "200ms" : "0s"}};
        // Which a reload has to roll back.
        config_.pool["command"] = roll(0, 4) == 0 ? bad_in_second_slot_ : good_;
        config_.pool["env"] = {{"ROUND", std::to_string(roll(0, 3))}};
        config_.more_pools = nlohmann::json::array();
        if (roll(0, 1) == 0)
            config_.more_pools = {{{"name", "second"},
                                   {"command", {demo_program()}},
                                   {"workers", roll(1, 2)},
                                   {"listen", "unix:" + config_.in_folder("second.sock")}}};
        config_.write();
    }

    void drain_and_restart()
    {
        ask({"drain", "1", "--pool", "default"}, {0, 1});
        ask({"restart", "1", "--pool", "default"}, {0, 1});
    }

    void kill_somebody()
    {
        const auto workers = children_of(usher_.pid());
        if (workers.empty())
            return;
        ::kill(workers[roll(0, static_cast<unsigned>(workers.size()) - 1)], SIGKILL);
        ++kills_;
    }

    /// Stops the master for a moment: nobody is to blame for that.
    void suspend()
    {
        send(SIGSTOP);
        REQUIRE(eventually([this] { return state_of(usher_.pid()) == 'T'; }));
        send(SIGCONT);
    }

    UsherProcess& usher_;
    ConfigFile& config_;
    std::mt19937 dice_;
    unsigned kills_ = 0;
    unsigned unread_acts_ = 0; ///< for so many more acts nobody reads its log
    const std::vector<std::string> good_{demo_program()};
    const std::vector<std::string> bad_in_second_slot_{
        "/bin/sh", "-c", "test $USHER_SLOT != 2 && exec \"$0\"", demo_program()};
};

/// Standard error is a pipe that is soon full.
void have_small_stderr()
{
    ::fcntl(STDERR_FILENO, F_SETPIPE_SZ, 4096);
}

void bring_to_rest(UsherProcess& usher, ConfigFile& config, int round)
{
    config.pool["command"] = {demo_program()};
    config.pool["workers"] = 3;
    config.pool["max_connections"] = 0;
    config.pool["reload"] = nlohmann::json::object();
    config.pool["max_queue"] = 64;
    config.pool["env"] = {{"ROUND", "rest" + std::to_string(round)}};
    config.more_pools = nlohmann::json::array();
    config.write();
    // The last blow may still make one fail.
    REQUIRE(eventually([&] { return usher.command({"reload"}).code == 0; }));
    // A reload keeps a scaled number.
    REQUIRE(usher.command({"scale", "3", "--pool", "default"}).code == 0);
    REQUIRE(eventually([&] { return children_of(usher.pid()).size() == 3; }));
}

} // namespace

TEST_SUITE_BEGIN("random");

TEST_CASE("whatever happens, in whatever order: counts are exact, and nothing is left over")
{
    const auto seed = number_from("USHER_TEST_RANDOM_SEED", 1);
    const auto duration = std::chrono::seconds{number_from("USHER_TEST_RANDOM_SECONDS", 15)};
    CAPTURE(seed);

    ConfigFile config;
    UsherProcess usher{config.run(), [] {
                           ::setsid();
                           have_small_stderr();
                       }};
    usher.wait_until_ready(2);
    bring_to_rest(usher, config, 1);
    const auto descriptors = descriptors_of(usher.pid()).size();
    const auto memory = resident_bytes(usher.pid());

    Load load{usher.port(), clients};
    Chaos chaos{usher, config, seed};
    unsigned acts = 0;
    for (const auto end = Clock::now() + duration; Clock::now() < end; ++acts)
        chaos.act();
    bring_to_rest(usher, config, 2);
    load.stop();
    CAPTURE(load.first_problem());
    MESSAGE(acts << " acts, " << chaos.kills() << " kills, " << load.served() << " served, "
                 << load.problems() << " lost");
    CHECK(load.problems() <= std::uint64_t{chaos.kills()} * clients);

    const auto status = nlohmann::json::parse(usher.command({"status", "--json"}).output);
    REQUIRE(status.at("pools").size() == 1);
    const auto& pool = status.at("pools").at(0);
    CHECK(pool.at("workers").size() == 3);
    CHECK(pool.at("leaving").empty());
    CHECK(status.at("ready") == true);
    // Every connection was handed off once, and once more for each time it was reclaimed.
    CHECK(pool.at("handed_off").get<std::uint64_t>() - pool.at("reclaimed").get<std::uint64_t>() ==
          load.served() + load.problems());
    CHECK(eventually([&] { return descriptors_of(usher.pid()).size() <= descriptors; }));
    const auto memory_after = resident_bytes(usher.pid());
    MESSAGE("memory: " << memory << " before, " << memory_after << " after");
    if (!with_sanitizers)
        CHECK(memory_after <= memory + (4 << 20));
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("in the middle of whatever: a stop ends the master and all its workers")
{
    const auto seed = number_from("USHER_TEST_RANDOM_SEED", 1);
    const auto duration = std::chrono::seconds{number_from("USHER_TEST_RANDOM_SECONDS", 15)} / 3;
    CAPTURE(seed);

    unsigned stops = 0;
    for (const auto end = Clock::now() + duration; Clock::now() < end; ++stops) {
        CAPTURE(stops);
        ConfigFile config;
        config.pool["drain_timeout"] = "5s";
        config.write();
        UsherProcess usher{config.run(), have_small_stderr};
        usher.wait_until_ready(2);
        Chaos chaos{usher, config, seed + stops};
        chaos.begin();
        const auto workers = children_of(usher.pid());
        CHECK(usher.stop() == usher::sys::ExitStatus{});
        for (const auto worker : workers)
            CHECK(eventually([&] { return state_of(worker) == 0; }));
    }
    MESSAGE(stops << " stops");
    CHECK(stops > 0);
}

TEST_SUITE_END();

} // namespace usher::random_test
