// SPDX-License-Identifier: MIT
#include "balancer/store/store_keeper.hpp"

#include "tests/support/file_faults.hpp"
#include "tests/support/small_files.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace usher::store_keeper_test {

using namespace usher::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

struct Bench {
    TempDir dir;
    asio::io_context io{1};
    std::shared_ptr<StoreKeeper> keeper =
        std::make_shared<StoreKeeper>(io.get_executor(), StoreConfig{});
    std::vector<std::string> answers;
    std::vector<std::string> troubles;
    int changes = 0;

    Bench()
    {
        keeper->watch([this](log::Level level, const std::string& news) {
            ++changes;
            if (!news.empty())
                troubles.push_back((level == log::Level::error ? "" : "over: ") + news);
        });
    }

    [[nodiscard]] std::string path() const { return dir.path().string() + "/store"; }

    void put(const std::string& key, const std::string& value = "1",
             std::optional<std::chrono::milliseconds> ttl = {}, const std::string& owner = "a/1")
    {
        keeper->submit({.key = key, .value = value, .ttl = ttl, .owner = owner},
                       [this](const Store::Answer& answer) {
                           answers.push_back(answer.code.empty() ? std::to_string(answer.revision)
                                                                 : std::string{answer.code});
                       });
    }

    template <typename Done>
    void run_until(const Done& is_done)
    {
        const auto end = std::chrono::steady_clock::now() + 30s;
        while (!is_done() && std::chrono::steady_clock::now() < end) {
            io.restart(); // it may have run out of work before
            io.run_one_for(1s);
        }
        REQUIRE(is_done());
    }
};

} // namespace

TEST_SUITE_BEGIN("store_keeper");

TEST_CASE_FIXTURE(Bench, "without a file a change is answered at once")
{
    put("k");
    CHECK(answers == std::vector<std::string>{"1"});
    CHECK(changes == 1);
    CHECK(keeper->store().find("k") != nullptr);
}

TEST_CASE_FIXTURE(Bench, "what has expired goes by itself")
{
    put("k", "1", 1ms);
    run_until([&] { return keeper->store().find("k") == nullptr; });
    CHECK(changes == 2);
}

TEST_CASE_FIXTURE(Bench, "with a file a change is seen once it is there, and comes back from it")
{
    keeper->adopt(std::make_shared<StoreFile>(path()));
    put("k");
    put("l", "2", 1h);
    CHECK(answers.empty());
    CHECK(keeper->store().find("k") == nullptr);
    run_until([&] { return answers.size() == 2; });
    CHECK(answers == std::vector<std::string>{"1", "2"});
    CHECK(keeper->store().find("k") != nullptr);
    keeper->close();
    io.run();
    keeper = std::make_shared<StoreKeeper>(io.get_executor(), StoreConfig{});
    keeper->adopt(std::make_shared<StoreFile>(path()));
    REQUIRE(keeper->store().find("l") != nullptr);
    CHECK(*keeper->store().find("l")->value == "2");
    CHECK(keeper->store().revision() == 2);
    CHECK(keeper->store().next_expiry().has_value());
}

TEST_CASE_FIXTURE(Bench, "a file that grows is written anew")
{
    keeper->adopt(std::make_shared<StoreFile>(path()));
    const std::string big(60'000, '1');
    for (int i = 0; i < 100; ++i)
        put("k", big);
    run_until([&] { return answers.size() == 100; });
    run_until([&] { return std::filesystem::file_size(path()) < 2'000'000; });
    CHECK(troubles.empty());
}

TEST_CASE_FIXTURE(Bench,
                  "while the disk is full changes are refused, reads go on, and it is said once")
{
    keeper->adopt(std::make_shared<StoreFile>(path()));
    put("k");
    run_until([&] { return answers.size() == 1; });
    {
        const SmallFiles full{std::filesystem::file_size(path())};
        put("k", "2");
        run_until([&] { return answers.size() == 2; });
        put("l");
        run_until([&] { return answers.size() == 3; });
    }
    CHECK(answers == std::vector<std::string>{"1", "disk", "disk"});
    CHECK(*keeper->store().find("k")->value == "1");
    REQUIRE(troubles.size() == 1);
    CHECK(troubles.front() == "changes of a store are refused: the store's file " + path() +
                                  " cannot be written: File too large");
    put("k", "3");
    run_until([&] { return answers.size() == 4; });
    CHECK(answers.back() == "2");
    CHECK(troubles.back() == "over: changes of the store are written to " + path() + " again");
    // A disk that is nearly full has room for small changes, and for others none.
    for (std::size_t i = 0; i < 5; ++i) {
        {
            const SmallFiles full{std::filesystem::file_size(path())};
            put("k", "2");
            run_until([&] { return answers.size() == 5 + 2 * i; });
            CHECK(answers.back() == "disk");
        }
        put("k", "3");
        run_until([&] { return answers.size() == 6 + 2 * i; });
    }
    CHECK(troubles.size() == 2);
}

TEST_CASE_FIXTURE(Bench, "one that floods has its own changes refused, and not those of others")
{
    keeper->adopt(std::make_shared<StoreFile>(path()));
    for (std::size_t i = 0; i < StoreQueue::most_changes; ++i)
        put("k");
    CHECK(answers.empty());
    put("k");
    CHECK(answers == std::vector<std::string>{"disk"});
    put("l", "1", {}, "a/2");
    CHECK(answers.size() == 1);
    run_until([&] { return keeper->store().find("l") != nullptr; });
    CHECK(keeper->store().find("l")->revision == 2); // it was the next in turn
    run_until([&] { return answers.size() == StoreQueue::most_changes + 2; });
    CHECK(std::ranges::count(answers, "disk") == 1);
}

TEST_CASE_FIXTURE(Bench, "changes that change nothing are done in turns, too")
{
    keeper->adopt(std::make_shared<StoreFile>(path()));
    constexpr int erasures = 10'000;
    int done = 0;
    for (int i = 0; i < erasures; ++i)
        keeper->submit({.kind = Store::Command::Kind::erase, .key = "none", .owner = "a/1"},
                       [&](const Store::Answer&) { ++done; });
    int most = 0;
    while (done < erasures) {
        const int before = done;
        REQUIRE(io.run_one_for(30s) == 1);
        most = std::max(most, done - before);
    }
    CHECK(most > 0);
    CHECK(most <= 512);
}

TEST_CASE_FIXTURE(Bench, "after a sync that has failed changes are refused, then all is written")
{
    keeper->adopt(std::make_shared<StoreFile>(path()));
    put("k");
    run_until([&] { return answers.size() == 1; });
    FileFaults::failing = 1;
    put("l");
    run_until([&] { return answers.size() == 2; });
    CHECK(keeper->store().find("l") == nullptr);
    CHECK(keeper->store().bytes() == 2);
    put("m");
    run_until([&] { return answers.size() == 3; });
    CHECK(answers == std::vector<std::string>{"1", "disk", "2"});
    keeper->close();
    io.run();
    keeper = std::make_shared<StoreKeeper>(io.get_executor(), StoreConfig{});
    keeper->adopt(std::make_shared<StoreFile>(path()));
    CHECK(keeper->store().find("k") != nullptr);
    CHECK(keeper->store().find("l") == nullptr);
    CHECK(keeper->store().find("m") != nullptr);
}

TEST_CASE_FIXTURE(Bench, "that the file was gone is said")
{
    keeper->adopt(std::make_shared<StoreFile>(path()));
    put("k");
    run_until([&] { return answers.size() == 1; });
    REQUIRE(std::filesystem::remove(path()));
    put("l");
    run_until([&] { return answers.size() == 2; });
    CHECK(troubles == std::vector<std::string>{"the store's file " + path() +
                                               " was gone, and was written anew"});
}

TEST_SUITE_END();

} // namespace usher::store_keeper_test
