// SPDX-License-Identifier: MIT
#include "balancer/store/store_feed.hpp"

#include "balancer/store/json_members.hpp"

#include <doctest/doctest.h>

#include <charconv>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace usher::store_feed_test {

namespace {

/// A copy as docs/worker-protocol.md tells to keep it.
class Copy {
public:
    using Content = std::map<std::string, std::pair<std::string, std::uint64_t>>;

    void hear(std::string_view line)
    {
        std::string type;
        std::string key;
        std::string value;
        std::uint64_t revision = 0;
        JsonMembers members{line};
        while (members.next()) {
            if (members.name() == "type")
                type = json_text(members.value()).value_or("");
            if (members.name() == "key")
                key = json_text(members.value()).value_or("");
            if (members.name() == "value")
                value = members.value();
            if (members.name() == "revision")
                std::from_chars(members.value().data(),
                                members.value().data() + members.value().size(), revision);
        }
        if (type == "snapshot") {
            next_.clear();
            erased_.clear();
            is_whole_ = false;
        }
        if (type == "synced") {
            content_ = next_;
            is_whole_ = true;
        }
        if (type == "set" && (!next_.contains(key) || next_[key].second < revision) &&
            erased_[key] < revision)
            next_[key] = {value, revision};
        if (type == "erased" && next_.contains(key) && next_[key].second < revision)
            next_.erase(key);
        if (type == "erased")
            erased_[key] = revision;
        if (is_whole_)
            content_ = next_;
    }

    [[nodiscard]] bool is_whole() const noexcept { return is_whole_; }
    [[nodiscard]] const Content& content() const noexcept { return content_; }

private:
    Content content_;
    Content next_;
    std::map<std::string, std::uint64_t> erased_;
    bool is_whole_ = false;
};

Copy::Content content_of(const Store& store)
{
    Copy::Content content;
    for (const auto& [key, entry] : store.entries())
        content[key] = {*entry.value, entry.revision};
    return content;
}

} // namespace

TEST_SUITE_BEGIN("store_feed");

TEST_CASE("a copy begins with all entries, and follows each change")
{
    Store store{StoreConfig{}};
    const auto put = [&](const std::string& key) {
        REQUIRE(store.apply({.key = key, .value = "1", .owner = "a/1"}, {}).code.empty());
        store.commit();
    };
    put("b");
    put("a");
    StoreFeed feed{store};
    CHECK_FALSE(feed.has_told(0));
    CHECK(*feed.next() == "{\"type\":\"snapshot\",\"revision\":2,\"keys\":2}\n");
    CHECK(*feed.next() == "{\"type\":\"set\",\"key\":\"a\",\"revision\":2,\"value\":1}\n");
    put("c"); // is told twice, which does no harm
    CHECK(*feed.next() == "{\"type\":\"set\",\"key\":\"b\",\"revision\":1,\"value\":1}\n");
    CHECK(*feed.next() == "{\"type\":\"set\",\"key\":\"c\",\"revision\":3,\"value\":1}\n");
    CHECK(*feed.next() == "{\"type\":\"set\",\"key\":\"c\",\"revision\":3,\"value\":1}\n");
    CHECK(*feed.next() == "{\"type\":\"synced\",\"revision\":3}\n");
    CHECK(feed.next() == nullptr);
    CHECK(feed.has_told(3));
    put("d");
    CHECK_FALSE(feed.has_told(4));
    CHECK(*feed.next() == "{\"type\":\"set\",\"key\":\"d\",\"revision\":4,\"value\":1}\n");
    CHECK(feed.has_told(4));
}

TEST_CASE("a copy whose reader has missed too much begins anew")
{
    Store store{StoreConfig{}};
    StoreFeed feed{store};
    while (feed.next()) {
    }
    for (int i = 0; i < 20'000; ++i) {
        REQUIRE(
            store.apply({.kind = Store::Command::Kind::increment, .key = "n", .owner = "a/1"}, {})
                .code.empty());
        store.commit();
    }
    CHECK(*feed.next() == "{\"type\":\"snapshot\",\"revision\":20000,\"keys\":1}\n");
    CHECK(*feed.next() == "{\"type\":\"set\",\"key\":\"n\",\"revision\":20000,\"value\":20000}\n");
    CHECK(*feed.next() == "{\"type\":\"synced\",\"revision\":20000}\n");
}

TEST_CASE("a copy of many keys becomes whole although they change as fast as it is told")
{
    Store store{StoreConfig{}};
    const auto put = [&](int key) {
        REQUIRE(store.apply({.key = "key" + std::to_string(key), .value = "1", .owner = "a/1"}, {})
                    .code.empty());
        store.commit();
    };
    constexpr int keys = 30'000; // more than changes are kept
    for (int i = 0; i < keys; ++i)
        put(i);
    StoreFeed feed{store};
    Copy copy;
    for (int told = 0; told < 4 * keys && !copy.is_whole(); ++told) {
        if (told % 2 == 0)
            put(told % keys);
        if (const auto line = feed.next())
            copy.hear(*line);
    }
    CHECK(copy.is_whole());
    while (const auto line = feed.next())
        copy.hear(*line);
    CHECK(copy.content() == content_of(store));
}

TEST_CASE("whatever happens while it is told, a copy that is whole and up to date is the store")
{
    std::minstd_rand dice{3};
    for (int run = 0; run < 300; ++run) {
        Store store{StoreConfig{}};
        StoreFeed feed{store};
        Copy copy;
        for (int step = 0; step < 200; ++step) {
            const auto key = std::string(1, static_cast<char>('a' + dice() % 8));
            switch (dice() % 4) {
            case 0:
                REQUIRE(store.apply({.key = key, .value = std::to_string(step), .owner = "a/1"}, {})
                            .code.empty());
                store.commit();
                break;
            case 1:
                REQUIRE(
                    store
                        .apply({.kind = Store::Command::Kind::erase, .key = key, .owner = "a/1"},
                               {})
                        .code.empty());
                store.commit();
                break;
            default:
                if (const auto line = feed.next())
                    copy.hear(*line);
                else
                    REQUIRE(copy.content() == content_of(store));
            }
            REQUIRE(feed.has_told(store.revision()) ==
                    (copy.is_whole() && copy.content() == content_of(store) &&
                     feed.has_told(store.revision())));
        }
        while (const auto line = feed.next())
            copy.hear(*line);
        REQUIRE(copy.is_whole());
        REQUIRE(copy.content() == content_of(store));
    }
}

TEST_SUITE_END();

} // namespace usher::store_feed_test
