// SPDX-License-Identifier: MIT
#include "balancer/bus/outbox.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace usher::outbox_test {

namespace {

Outbox::Line line(const std::string& text)
{
    return std::make_shared<const std::string>(text + "\n");
}

/// All that waits, without line feeds, joined by blanks.
std::string all(Outbox& outbox)
{
    std::string text;
    while (const auto next = outbox.next())
        text += (text.empty() ? "" : " ") + next->substr(0, next->size() - 1);
    return text;
}

void put(Store& store, const std::string& key, const std::string& value)
{
    REQUIRE(store.apply({.key = key, .value = value, .owner = "a/1"}, {}).code.empty());
    store.commit();
}

} // namespace

TEST_SUITE_BEGIN("outbox");

TEST_CASE("messages and answers come in their order")
{
    Outbox outbox{BusConfig{}};
    CHECK(all(outbox).empty());
    outbox.add_message(line("m1"));
    outbox.add_answer("a1\n");
    outbox.add_message(line("m2"));
    outbox.add_message(line("m3"));
    outbox.add_answer("a2\n");
    CHECK(all(outbox) == "m1 a1 m2 m3 a2");
}

TEST_CASE("the oldest messages are lost, never answers, and it is told how many")
{
    Outbox outbox{BusConfig{.max_messages = 2}};
    for (const auto* text : {"m1", "m2", "m3"})
        outbox.add_message(line(text));
    outbox.add_answer("a1\n");
    outbox.add_message(line("m4"));
    CHECK(outbox.lost() == 2);
    CHECK(all(outbox) == R"({"type":"lost","count":2} m3 a1 m4)");
    outbox.add_message(line("m5"));
    CHECK(all(outbox) == "m5");
    for (const auto* text : {"m6", "m7", "m8"})
        outbox.add_message(line(text));
    CHECK(all(outbox) == R"({"type":"lost","count":1} m7 m8)");
    CHECK(outbox.lost() == 3);
}

TEST_CASE("bytes count as well")
{
    Outbox outbox{BusConfig{.max_bytes = 10}};
    outbox.add_message(line("1234"));
    outbox.add_message(line("5678"));
    CHECK(outbox.lost() == 0);
    outbox.add_message(line("9"));
    CHECK(all(outbox) == R"({"type":"lost","count":1} 5678 9)");
    outbox.add_message(line("longer than all"));
    CHECK(all(outbox).empty()); // it is told with the next that there is room for
    outbox.add_message(line("x"));
    CHECK(all(outbox) == R"({"type":"lost","count":1} x)");
}

TEST_CASE("an answer to a change comes after the change itself")
{
    Store store{StoreConfig{}};
    Outbox outbox{BusConfig{}};
    outbox.follow(store);
    CHECK(all(outbox) ==
          R"({"type":"snapshot","revision":0,"keys":0} {"type":"synced","revision":0})");
    put(store, "k", "1");
    outbox.add_answer("ok\n", store.revision());
    outbox.add_message(line("m"));
    CHECK(all(outbox) == R"({"type":"set","key":"k","revision":1,"value":1} ok m)");
}

TEST_CASE("a copy begins behind the answers to what was said before it was asked for")
{
    Outbox outbox{BusConfig{}};
    Store store{StoreConfig{}};
    put(store, "k", "1");
    outbox.add_answer("old\n", 1);
    outbox.add_answer("welcome\n");
    outbox.follow(store);
    outbox.add_answer("new\n");
    put(store, "k", "2");
    outbox.add_answer("put\n", 2);
    outbox.follow(store); // once more, which lets no answer pass the change that it is to
    CHECK(all(outbox) == R"(old welcome {"type":"snapshot","revision":2,"keys":1} new )"
                         R"({"type":"set","key":"k","revision":2,"value":2} )"
                         R"({"type":"synced","revision":2} put)");
}

TEST_CASE("while a copy is on its way, messages come in between")
{
    Store store{StoreConfig{}};
    for (const auto* key : {"a", "b", "c"})
        put(store, key, "1");
    Outbox outbox{BusConfig{}};
    outbox.follow(store);
    outbox.add_message(line("m1"));
    outbox.add_message(line("m2"));
    const auto text = all(outbox);
    CHECK(text.find("m1") < text.find("\"b\""));
    CHECK(text.find("m2") < text.find("\"c\""));
    CHECK(text.find("synced") != std::string::npos);
}

TEST_CASE("too many answers that are not read are seen")
{
    Outbox outbox{BusConfig{}};
    const std::string big(600UL * 1024, 'x');
    CHECK_FALSE(outbox.is_full_of_answers());
    outbox.add_answer(big);
    outbox.add_answer(big);
    CHECK(outbox.is_full_of_answers());
    CHECK(outbox.has_room_for_replies());
    for (int i = 0; i < 6; ++i)
        outbox.add_answer(big);
    CHECK_FALSE(outbox.has_room_for_replies());
    while (outbox.next()) {
    }
    CHECK_FALSE(outbox.is_full_of_answers());
}

TEST_SUITE_END();

} // namespace usher::outbox_test
