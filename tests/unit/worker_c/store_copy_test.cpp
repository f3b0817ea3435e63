// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

extern "C" {
#include "worker/c/bus/store_copy.h"
}

namespace usher::store_copy_test {

namespace {

uw_text of(std::string_view text)
{
    return {text.data(), text.size()};
}

struct Fixture {
    uw_copy copy{};

    Fixture() = default;
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture() { uw_copy_free(&copy); }

    int set(std::string_view key, std::string_view value, std::uint64_t revision)
    {
        return uw_copy_set(&copy, of(key), of(value), revision);
    }

    int erase(std::string_view key, std::uint64_t revision)
    {
        return uw_copy_erase(&copy, of(key), revision);
    }

    std::optional<std::string> get(std::string_view key) const
    {
        const auto* const entry = uw_copy_find(&copy, of(key));
        return entry != nullptr ? std::optional<std::string>{uw_value_of(entry)} : std::nullopt;
    }

    /// What is told, as key=value, or key alone for what is gone.
    std::vector<std::string> differences()
    {
        std::vector<std::string> found;
        bool is_gone = false;
        while (const auto* const entry = uw_copy_next_difference(&copy, &is_gone))
            found.push_back(is_gone ? std::string{uw_key_of(entry)}
                                    : std::string{uw_key_of(entry)} + "=" + uw_value_of(entry));
        std::ranges::sort(found);
        return found;
    }

    void begin() { uw_copy_begin(&copy); }
    void end(std::uint64_t revision) { CHECK(uw_copy_end(&copy, revision)); }

    void open(const std::map<std::string, std::string>& entries = {})
    {
        begin();
        std::uint64_t revision = 0;
        for (const auto& [key, value] : entries)
            set(key, value, ++revision);
        end(revision);
    }
};

} // namespace

TEST_SUITE_BEGIN("store_copy");

TEST_CASE_FIXTURE(Fixture, "a copy shows nothing before it is whole, and then tells no differences")
{
    CHECK(set("a", "1", 1) == 0);
    begin();
    CHECK(set("a", "1", 1) == 0);
    CHECK_FALSE(get("a"));
    end(1);
    CHECK(get("a") == "1");
    CHECK(differences().empty());
}

TEST_CASE_FIXTURE(Fixture, "changes are applied and told if they are newer")
{
    open({{"a", "1"}, {"b", "2"}});
    CHECK(set("a", "3", 3) == 1);
    CHECK(get("a") == "3");
    CHECK(set("a", "4", 3) == 0);
    CHECK(set("a", "4", 2) == 0);
    CHECK(get("a") == "3");
    CHECK(erase("b", 2) == 0);
    CHECK(erase("b", 4) == 1);
    CHECK_FALSE(get("b"));
    CHECK(erase("b", 5) == 0);
    CHECK(copy.present.count == 1);
    CHECK(copy.revision == 5);
}

TEST_CASE_FIXTURE(Fixture, "a copy in place of another tells what differs, and nothing else")
{
    open({{"a", "1"}, {"b", "2"}, {"c", "3"}}); // revisions 1, 2, 3
    begin();
    set("a", "1", 1);
    set("b", "20", 10);
    set("d", "4", 11);
    CHECK(get("b") == "2"); // as before, up to the end
    CHECK(get("c") == "3");
    end(12);
    CHECK(get("b") == "20");
    CHECK_FALSE(get("c"));
    CHECK(differences() == std::vector<std::string>{"b=20", "c", "d=4"});
    CHECK(differences().empty());
    CHECK(copy.revision == 12);
}

TEST_CASE_FIXTURE(Fixture, "what is erased while a copy comes does not come back with it")
{
    open({{"a", "1"}});
    begin();
    CHECK(erase("a", 9) == 0);
    set("a", "1", 1);
    set("b", "2", 2);
    CHECK(erase("c", 8) == 0);
    set("c", "3", 10); // and made again
    end(10);
    CHECK_FALSE(get("a"));
    CHECK(get("c") == "3");
    CHECK(copy.present.count == 2);
    CHECK(differences() == std::vector<std::string>{"a", "b=2", "c=3"});
}

TEST_CASE_FIXTURE(Fixture, "a copy that begins anew forgets what had come")
{
    begin();
    set("a", "1", 1);
    begin();
    set("b", "2", 2);
    end(2);
    CHECK_FALSE(get("a"));
    CHECK(get("b") == "2");
    CHECK_FALSE(uw_copy_end(&copy, 3));
}

TEST_CASE_FIXTURE(Fixture, "keys of any bytes, empty and long ones, are told apart")
{
    open();
    const std::string zero{"a\0b", 3};
    const std::string longest(255, 'x');
    CHECK(set("", "0", 1) == 1);
    CHECK(set("a", "1", 2) == 1);
    CHECK(set(zero, "2", 3) == 1);
    CHECK(set(longest, "3", 4) == 1);
    CHECK(set(longest + "x", "4", 5) == 1);
    CHECK(get("") == "0");
    CHECK(get("a") == "1");
    CHECK(get(zero) == "2");
    CHECK(get(longest) == "3");
    CHECK(get(longest + "x") == "4");
}

TEST_CASE_FIXTURE(Fixture, "thousands of changes by chance leave what they would leave in a map")
{
    std::mt19937 random{17};
    std::map<std::string, std::string> model;
    open();
    for (std::uint64_t revision = 1; revision <= 20'000; ++revision) {
        const auto key = "key" + std::to_string(random() % 300);
        if (random() % 3 == 0) {
            CHECK(erase(key, revision) == static_cast<int>(model.erase(key)));
        } else {
            const auto value = std::to_string(revision);
            model[key] = value;
            CHECK(set(key, value, revision) == 1);
        }
        if (revision % 5'000 == 0) { // a copy by the way
            begin();
            for (const auto& [name, value] : model)
                set(name, value, std::stoull(value));
            end(revision);
            CHECK(differences().empty());
        }
        CHECK(copy.present.count == model.size());
        const auto other = "key" + std::to_string(random() % 300);
        const auto found = model.find(other);
        CHECK(get(other) == (found != model.end() ? std::optional{found->second} : std::nullopt));
    }
}

TEST_SUITE_END();

} // namespace usher::store_copy_test
