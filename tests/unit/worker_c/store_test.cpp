// SPDX-License-Identifier: MIT
//
// The store in C, with a master that is played by the test.
#include "usher.h"

#include "tests/support/fake_bus.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/unit/worker_c/bus_words.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace usher::store_test {

using namespace usher::test;

namespace {

using Lines = std::vector<std::string>;

struct Fixture : NoFdLeak {
    FakeBus master;
    usher_bus* bus = usher_bus_open();

    Fixture()
    {
        REQUIRE(bus != nullptr);
        master.welcome();
        REQUIRE(events_of(bus).empty());
    }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture() { usher_bus_close(bus); }

    Lines events() { return events_of(bus); }

    Lines heard()
    {
        usher_bus_flush(bus);
        return master.heard();
    }

    /// A value with its revision, as value@revision; nothing if there is no such key.
    std::string get(const std::string& key) const
    {
        usher_store_value value = USHER_STORE_VALUE_INIT;
        if (usher_store_get(bus, key.c_str(), &value) < 0)
            return errno == ENOENT ? "" : "wrong errno";
        CHECK(std::string{value.data}.size() == value.data_size);
        return std::string{value.data} + "@" + std::to_string(value.revision);
    }

    void open(const Lines& lines)
    {
        master.say(R"({"type":"snapshot","revision":10,"keys":9})");
        for (const auto& line : lines)
            master.say(line);
        master.say(R"({"type":"synced","revision":10})");
    }
};

} // namespace

TEST_SUITE_BEGIN("store");

TEST_CASE_FIXTURE(Fixture, "a copy is asked for once, and is there when it is whole")
{
    CHECK(usher_store_open(bus) == 0);
    CHECK(usher_store_open(bus) == 0);
    CHECK(heard() == Lines{R"({"type":"sync"})"});
    CHECK_FALSE(usher_store_is_open(bus));

    master.say(R"({"type":"snapshot","revision":10,"keys":2})");
    master.say(R"({"type":"set","key":"a","value":{"x": 1},"revision":3})");
    CHECK(events().empty());
    CHECK(get("a").empty());
    master.say(R"({"type":"set","key":"\"\u00e4\"","value":"b","revision":4})");
    master.say(R"({"type":"synced","revision":10})");
    CHECK(events() == Lines{"synced count=2 revision=10"});
    CHECK(usher_store_is_open(bus));
    CHECK(usher_store_count(bus) == 2);
    CHECK(get("a") == R"({"x": 1}@3)");
    CHECK(get("\"\xc3\xa4\"") == R"("b"@4)");
    CHECK(get("b").empty());
}

TEST_CASE_FIXTURE(Fixture, "changes show in the copy when they are told")
{
    open({R"({"type":"set","key":"a","value":1,"revision":3})"});
    CHECK(events() == Lines{"synced count=1 revision=10"});

    master.say(R"({"type":"set","key":"a","value":2,"revision":11})");
    master.say(R"({"type":"erased","key":"a","revision":12,"expired":true})");
    usher_bus_event event = USHER_BUS_EVENT_INIT;
    CHECK(usher_bus_next(bus, &event) == 0);
    CHECK(words_of(event) == "set revision=11 key=a data=2");
    CHECK(get("a") == "2@11");
    CHECK(usher_bus_next(bus, &event) == 0);
    CHECK(words_of(event) == "erased flag=1 revision=12 key=a");
    CHECK(get("a").empty());
    CHECK(events().empty());
}

TEST_CASE_FIXTURE(Fixture, "a new copy in the middle tells what differs, and lasts beyond the end")
{
    open({R"({"type":"set","key":"a","value":1,"revision":3})",
          R"({"type":"set","key":"b","value":2,"revision":4})",
          R"({"type":"set","key":"c","value":3,"revision":5})"});
    CHECK(events().size() == 1);
    master.say(R"({"type":"snapshot","revision":20,"keys":2})");
    master.say(R"({"type":"set","key":"a","value":1,"revision":3})");
    master.say(R"({"type":"set","key":"c","value":30,"revision":18})");
    CHECK(events().empty());
    CHECK(get("b") == "2@4"); // readable as it was
    master.say(R"({"type":"synced","revision":20})");
    master.say(R"({"type":"set","key":"d","value":4,"revision":21})");
    auto told = events();
    REQUIRE(told.size() == 4);
    std::sort(told.begin(), told.begin() + 2); // in no order
    CHECK(told == Lines{"erased revision=20 key=b", "set revision=18 key=c data=30",
                        "synced count=2 revision=20", "set revision=21 key=d data=4"});

    master.die();
    CHECK(events() == Lines{"end"});
    CHECK(get("c") == "30@18");
    CHECK(usher_store_count(bus) == 3);
}

TEST_CASE_FIXTURE(Fixture, "changes without a copy mean nothing")
{
    master.say(R"({"type":"set","key":"a","value":1,"revision":3})");
    master.say(R"({"type":"erased","key":"a","revision":4})");
    master.say(R"({"type":"synced","revision":4})");
    CHECK(events().empty());
    CHECK_FALSE(usher_store_is_open(bus));
}

TEST_CASE_FIXTURE(Fixture, "changes are asked for as the protocol has it")
{
    std::uint64_t id = 0;
    CHECK(usher_store_put(bus, "a", "{}", 0, nullptr) == 0);
    CHECK(usher_store_put(bus, "a", "{}", 60'000, &id) == 0);
    CHECK(usher_store_put_if(bus, "a", "{}", 0, 17, &id) == 0);
    CHECK(usher_store_erase(bus, "a", nullptr) == 0);
    CHECK(usher_store_erase_if(bus, "a", 0, &id) == 0);
    CHECK(usher_store_increment(bus, "a", -3, 0, &id) == 0);
    CHECK(usher_store_increment(bus, "a", 1, 1'000, nullptr) == 0);
    CHECK(usher_store_put(bus, "a", "{", 0, nullptr) == -1);
    CHECK(errno == EINVAL);
    CHECK(id == 4);
    CHECK(heard() == Lines{R"({"type":"put","key":"a","value":{}})",
                           R"({"type":"put","key":"a","value":{},"ttl_ms":60000,"id":1})",
                           R"({"type":"put","key":"a","value":{},"expected":17,"id":2})",
                           R"({"type":"erase","key":"a"})",
                           R"({"type":"erase","key":"a","expected":0,"id":3})",
                           R"({"type":"increment","key":"a","by":-3,"id":4})",
                           R"({"type":"increment","key":"a","by":1,"ttl_ms":1000})"});
}

TEST_CASE_FIXTURE(Fixture, "all keys of a prefix are visited, until the visitor has enough")
{
    open({R"({"type":"set","key":"user.1","value":1,"revision":1})",
          R"({"type":"set","key":"user.2","value":2,"revision":2})",
          R"({"type":"set","key":"use","value":3,"revision":3})"});
    CHECK(events().size() == 1);
    Lines found;
    const auto visit = [](void* context, const char* key, const usher_store_value* value) {
        static_cast<Lines*>(context)->push_back(std::string{key} + "=" + value->data);
        return 0;
    };
    CHECK(usher_store_each(bus, "user.", visit, &found) == 0);
    std::ranges::sort(found);
    CHECK(found == Lines{"user.1=1", "user.2=2"});
    CHECK(usher_store_each(bus, "", visit, &found) == 0);
    CHECK(found.size() == 5);

    const auto stop = [](void*, const char*, const usher_store_value*) { return 7; };
    CHECK(usher_store_each(bus, "", stop, nullptr) == 7);
}

TEST_SUITE_END();

} // namespace usher::store_test
