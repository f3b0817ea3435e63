// SPDX-License-Identifier: MIT
#include "balancer/store/store_record.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace usher::store_record_test {

using namespace std::chrono_literals;

namespace {

const ClockPair clocks{.steady = Store::Clock::time_point{1'000s},
                       .wall = std::chrono::system_clock::time_point{2'000'000s}};

Store::Change set(const std::string& key, const std::string& value, std::uint64_t revision)
{
    return {.key = key,
            .revision = revision,
            .entry = Store::Entry{.value = std::make_shared<const std::string>(value),
                                  .revision = revision,
                                  .owner = "web/1"}};
}

std::string file_of(const std::string& records)
{
    return std::string{store_file_header} + records;
}

} // namespace

TEST_SUITE_BEGIN("store_record");

TEST_CASE("a file says what was written")
{
    auto timed = set("a\"\n", "[1, 2]", 4);
    timed.entry->expires = clocks.steady + 5s;
    const auto file =
        file_of(encode_record(timed, clocks) + encode_record({.key = "b", .revision = 5}, clocks) +
                encode_record({.revision = 9}, clocks));
    const ClockPair later{.steady = Store::Clock::time_point{7s},
                          .wall = clocks.wall + 2s}; // after a boot
    const auto records = decode_records(file, later);
    CHECK(records.problem.empty());
    CHECK(records.good_size == file.size());
    REQUIRE(records.changes.size() == 3);
    const auto& first = records.changes[0];
    CHECK(first.key == "a\"\n");
    REQUIRE(first.entry);
    CHECK(*first.entry->value == "[1, 2]");
    CHECK(first.entry->revision == 4);
    CHECK(first.entry->owner == "web/1");
    CHECK(first.entry->expires == later.steady + 3s);
    CHECK(records.changes[1].key == "b");
    CHECK_FALSE(records.changes[1].entry);
    CHECK(records.changes[2].key.empty());
    CHECK(records.changes[2].revision == 9);
}

TEST_CASE("wherever a write was cut, what is whole before it counts")
{
    const auto first = file_of(encode_record(set("a", "1", 1), clocks));
    const auto whole = first + encode_record(set("b", "2", 2), clocks);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto records = decode_records(whole.substr(0, size), clocks);
        CAPTURE(size);
        CHECK(records.problem.empty());
        CHECK(records.changes.size() == (size < first.size() ? 0 : 1));
        CHECK(records.good_size == (size < store_file_header.size() ? 0
                                    : size < first.size()           ? store_file_header.size()
                                                                    : first.size()));
    }
}

TEST_CASE("whatever byte is changed is noticed: at the end it is cut off, in the middle refused")
{
    const auto first = file_of(encode_record(set("a", "1", 1), clocks));
    const auto whole = first + encode_record(set("b", "2", 2), clocks);
    std::size_t cut = 0;
    for (std::size_t at = 0; at < whole.size(); ++at) {
        auto damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        const auto records = decode_records(damaged, clocks);
        CAPTURE(at);
        if (at < store_file_header.size()) {
            CHECK(records.problem == "is not a store that usher has written");
        } else if (at < first.size()) {
            CHECK(records.problem == "is damaged at byte 14, and more follows");
        } else {
            CHECK(records.changes.size() == 1);
            CHECK(records.good_size == first.size());
            cut += records.problem.empty() ? 1 : 0; // else its length seems to end before it does
        }
    }
    CHECK(cut > first.size() / 2);
}

TEST_CASE("what a machine that lost its power leaves at the end is cut off")
{
    const auto file = file_of(encode_record(set("a", "1", 1), clocks));
    CHECK(decode_records(file + std::string(500, '\0'), clocks).good_size == file.size());
}

TEST_CASE("lines with a good checksum that mean nothing are damage")
{
    CHECK(decode_records("hello\n", clocks).problem == "is not a store that usher has written");
    CHECK(decode_records("usher-store 2\n", clocks).problem ==
          "is not a store that usher has written");
    CHECK(decode_records("", clocks).problem.empty());
}

TEST_SUITE_END();

} // namespace usher::store_record_test
