// SPDX-License-Identifier: MIT
#include "balancer/store/store_record.hpp"

#include <doctest/doctest.h>

#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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

/// A file with a batch for each of `batches`.
std::string file_of(const std::vector<std::string>& batches)
{
    std::string file{store_file_header};
    for (const auto& records : batches)
        file += encode_batch(records, file.size());
    return file;
}

std::string record(const std::string& key, std::uint64_t revision)
{
    return encode_record(set(key, "1", revision), clocks);
}

struct Decoded {
    std::vector<Store::Change> changes;
    std::size_t good_size = 0;
    std::string problem;
};

Decoded decode(std::string_view file, const ClockPair& now = clocks)
{
    Decoded decoded;
    auto verdict = decode_file(
        file, now, [&](const Store::Change& change) { decoded.changes.push_back(change); });
    decoded.good_size = verdict.good_size;
    decoded.problem = std::move(verdict.problem);
    return decoded;
}

} // namespace

TEST_SUITE_BEGIN("store_record");

TEST_CASE("a file says what was written")
{
    auto timed = set("a\"\n", "[1, 2]", 4);
    timed.entry->expires = clocks.steady + 5s;
    const auto file =
        file_of({encode_record(timed, clocks) + encode_record({.key = "b", .revision = 5}, clocks),
                 "", encode_record({.revision = 9}, clocks)});
    const ClockPair later{.steady = Store::Clock::time_point{7s},
                          .wall = clocks.wall + 2s}; // after a boot
    const auto decoded = decode(file, later);
    CHECK(decoded.problem.empty());
    CHECK(decoded.good_size == file.size());
    REQUIRE(decoded.changes.size() == 3);
    const auto& first = decoded.changes[0];
    CHECK(first.key == "a\"\n");
    REQUIRE(first.entry);
    CHECK(*first.entry->value == "[1, 2]");
    CHECK(first.entry->revision == 4);
    CHECK(first.entry->owner == "web/1");
    CHECK(first.entry->expires == later.steady + 3s);
    CHECK(decoded.changes[1].key == "b");
    CHECK_FALSE(decoded.changes[1].entry);
    CHECK(decoded.changes[2].key.empty());
    CHECK(decoded.changes[2].revision == 9);
}

TEST_CASE("wherever the last write was cut, it counts as a whole or not at all")
{
    const auto first = file_of({record("a", 1)});
    const auto whole = file_of({record("a", 1), record("b", 2) + record("c", 3)});
    REQUIRE(whole.starts_with(first));
    for (std::size_t size = first.size(); size < whole.size(); ++size) {
        const auto decoded = decode(whole.substr(0, size));
        CAPTURE(size);
        CHECK(decoded.problem.empty());
        CHECK(decoded.changes.size() == 1);
        CHECK(decoded.good_size == first.size());
    }
}

TEST_CASE("a power cut may lose any piece of the last write, and keep what is behind it")
{
    std::string many;
    for (std::uint64_t i = 2; i < 100; ++i)
        many += record("k" + std::to_string(i), i);
    const auto first = file_of({record("a", 1)});
    const auto whole = file_of({record("a", 1), many});
    constexpr std::size_t page = 512;
    for (std::size_t at = first.size(); at < whole.size(); at += page) {
        auto torn = whole;
        const auto size = std::min(page, whole.size() - at);
        torn.replace(at, size, size, '\0');
        const auto decoded = decode(torn);
        CAPTURE(at);
        CHECK(decoded.problem.empty());
        CHECK(decoded.changes.size() == 1);
        CHECK(decoded.good_size == first.size());
    }
}

TEST_CASE("whatever byte is changed is noticed: and refused")
{
    const auto first = file_of({record("a", 1)});
    const auto whole = file_of({record("a", 1), record("b", 2)});
    for (std::size_t at = 0; at < whole.size(); ++at) {
        auto damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        const auto decoded = decode(damaged);
        CAPTURE(at);
        if (at < store_file_header.size()) {
            CHECK(decoded.problem == "is not a store that this usher has written");
        } else if (at < first.size()) {
            CHECK(decoded.problem == fmt::format("is damaged at byte {}, and is whole again from "
                                                 "byte {} on",
                                                 store_file_header.size(), first.size()));
        } else if (decoded.problem.empty()) { // as if the batch were longer than what there is
            CHECK(at > first.size() + std::string{"batch 00000000 "}.size() - 1);
            CHECK(at < first.size() + std::string{"batch 00000000 00000000"}.size());
            CHECK(decoded.good_size == first.size());
        } else {
            CHECK(decoded.problem == fmt::format("is damaged at byte {}: not what was written, nor "
                                                 "a part of it",
                                                 first.size()));
        }
    }
}

TEST_CASE("what somebody has put in, taken out or joined is no torn end")
{
    const std::vector<std::string> writes{record("a", 1), record("b", 2), record("c", 3)};
    const auto whole = file_of({writes[0], writes[1], writes[2]});
    const auto first = file_of({writes[0]});
    const auto second = file_of({writes[0], writes[1]});
    for (auto at = store_file_header.size(); at < whole.size(); ++at) {
        CAPTURE(at);
        auto longer = whole;
        longer.insert(at, 1, ' ');
        CHECK(decode(longer).problem.find("is damaged at byte") == 0);
        auto shorter = whole;
        shorter.erase(at, 1);
        const bool is_in_last = at >= second.size(); // as if a part of that were missing
        CHECK((decode(shorter).problem.find("is damaged at byte") == 0 || is_in_last));
    }
    const auto tail = whole.substr(first.size());
    CHECK(decode(whole + tail).problem.find("is damaged at byte") == 0);
    CHECK(decode(first + whole.substr(second.size())).problem.find("is damaged at byte") == 0);
}

TEST_CASE("a sector on the border of two writes takes neither for an end")
{
    const auto first = file_of({record("a", 1)});
    auto damaged = file_of({record("a", 1), record("b", 2), record("c", 3)});
    damaged.replace(first.size() - 5, 10, 10, '\0');
    CHECK(decode(damaged).problem.starts_with("is damaged at byte 14, and is whole again"));
}

TEST_CASE("what a machine that lost its power leaves at the end is cut off")
{
    const auto file = file_of({record("a", 1)});
    CHECK(decode(file + std::string(500, '\0')).good_size == file.size());
}

TEST_CASE("more than one write has is no torn end")
{
    const auto file = file_of({record("a", 1)});
    CHECK(decode(file + std::string(largest_store_batch, '\0')).problem.empty());
    CHECK(
        decode(file + std::string(largest_store_batch + 1, '\0')).problem ==
        fmt::format("is damaged at byte {}, with more behind it than one write has", file.size()));
}

TEST_CASE("what is said in values is taken for no batch")
{
    auto lines = record("a", 1);
    for (const auto* text : {"batch 00000000 00000000\\n", "\\nbatch "})
        lines += encode_record(set("k", fmt::format("\"{}\"", text), 2), clocks);
    auto file = file_of({lines});
    file[20] ^= 1;
    CHECK(decode(file).problem.find("whole again") == std::string::npos);
    file.resize(file.size() - 1);
    file[20] ^= 1;
    CHECK(decode(file).problem.empty());
    CHECK(decode(file).changes.empty());
}

TEST_CASE("what has a good checksum and means nothing is damage")
{
    CHECK(decode("hello\n").problem == "is not a store that this usher has written");
    CHECK(decode("usher-store 1\n").problem == "is not a store that this usher has written");
    CHECK(decode(file_of({"{}\n"})).problem == "says at byte 14 what is no change");
    CHECK(decode(file_of({"{\"revision\":1}"})).problem == "says at byte 14 what is no change");
    CHECK(decode("").problem.empty());
}

TEST_SUITE_END();

} // namespace usher::store_record_test
