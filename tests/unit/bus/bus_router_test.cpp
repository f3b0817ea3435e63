// SPDX-License-Identifier: MIT
#include "balancer/bus/bus_router.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace usher::bus_router_test {

using namespace std::chrono_literals;

namespace {

/// A bus with workers that say lines and hear others.
struct Bench {
    using Member = BusRouter::Member;

    Store store{StoreConfig{}};
    BusRouter router{"shop", store, [this](const Store::Command& command, const auto& done) {
                         auto answer = store.apply(command, {});
                         store.commit();
                         router.on_stored();
                         done(std::move(answer));
                     }};
    std::map<Member, BusIdentity> who;
    std::multiset<Member> heard; ///< who was told by flush() that something waits
    BusRouter::Clock::time_point now{};
    Member last = 0;

    /// Says nothing yet.
    Member silent_worker(const std::string& pool, unsigned slot, unsigned generation = 1)
    {
        const auto number = ++last;
        who[number] = {.pool = pool, .slot = slot, .worker = number, .generation = generation};
        CHECK(router.join(who[number], BusConfig{}, [this, number] { heard.insert(number); }) ==
              number);
        return number;
    }

    Member worker(const std::string& pool, unsigned slot, unsigned generation = 1)
    {
        const auto number = silent_worker(pool, slot, generation);
        say(number, R"({"type":"unsubscribe","pattern":"nothing"})");
        return number;
    }

    void say(Member member, std::string_view line) { router.on_line(member, line, now); }

    std::string hears(Member member)
    {
        std::string text;
        while (const auto line = router.outbox(member).next())
            text += *line;
        return text;
    }
};

} // namespace

TEST_SUITE_BEGIN("bus_router");

TEST_CASE_FIXTURE(Bench, "who says hello hears who it is")
{
    const auto a = worker("web", 2, 3);
    say(a, R"({"type":"hello","protocol":1})");
    say(a, R"({"type":"hello","id":"x"})");
    CHECK(hears(a) == "{\"type\":\"welcome\",\"protocol\":1,\"pool\":\"web\",\"slot\":2,\"worker\":"
                      "1,\"generation\":3,\"group\":\"shop\"}\n"
                      "{\"type\":\"welcome\",\"protocol\":1,\"id\":\"x\",\"pool\":\"web\",\"slot\":"
                      "2,\"worker\":1,\"generation\":3,\"group\":\"shop\"}\n");
}

TEST_CASE_FIXTURE(Bench, "who says hello begins anew, as if nobody had spoken there before")
{
    const auto a = worker("web", 1);
    const auto b = worker("web", 2);
    for (const auto* const line :
         {R"({"type":"subscribe","pattern":"a"})", R"({"type":"campaign"})", R"({"type":"sync"})",
          R"({"type":"request","id":7,"topic":"b","data":1})"})
        say(a, line);
    say(b, R"({"type":"campaign"})");
    say(b, R"({"type":"request","id":8,"topic":"a","data":1})");
    static_cast<void>(hears(a));
    static_cast<void>(hears(b));

    say(a, R"({"type":"hello","protocol":1})");
    CHECK(hears(b) == "{\"type\":\"done\",\"id\":8,\"replies\":0,\"missing\":[\"web/"
                      "1\"]}\n{\"type\":\"leader\",\"is\":true}\n");
    CHECK(router.leader("web") == b);
    static_cast<void>(hears(a));
    say(b, R"({"type":"publish","topic":"a","data":1})");
    say(b, R"({"type":"put","key":"k","value":1})");
    CHECK(hears(a).empty());
}

TEST_CASE("what a process was answered or sent late does not come to the next one")
{
    Store store{StoreConfig{}};
    std::vector<std::function<void(Store::Answer)>> changes;
    BusRouter router{"shop", store, [&](const Store::Command& /*command*/, auto done) {
                         changes.push_back(std::move(done));
                     }};
    const auto a =
        router.join({.pool = "web", .slot = 1, .worker = 1}, BusConfig{.max_messages = 2}, [] {});
    const auto say = [&](std::string_view line) { router.on_line(a, line, {}); };
    const auto hears = [&] {
        std::string text;
        while (const auto line = router.outbox(a).next())
            text += *line;
        return text;
    };
    say(R"({"type":"put","id":1,"key":"k","value":1})");
    say(R"({"type":"increment","id":2,"key":"k"})");
    say(R"({"type":"subscribe","pattern":"a"})");
    for (int i = 0; i < 3; ++i)
        router.publish("web/2", "a", "1");

    say(R"({"type":"hello","protocol":1})");
    say(R"({"type":"put","id":1,"key":"k","value":2})");
    say(R"({"type":"subscribe","pattern":"a"})");
    router.publish("web/2", "a", "2");
    REQUIRE(changes.size() == 3);
    changes.at(0)({.revision = 1});
    changes.at(1)({.code = "full", .reason = "no room"});
    const auto heard = hears();
    CHECK(heard.starts_with("{\"type\":\"welcome\""));
    CHECK(heard.ends_with("}\n{\"type\":\"message\",\"topic\":\"a\",\"from\":\"web/"
                          "2\",\"data\":2}\n"));
    CHECK(std::ranges::count(heard, '\n') == 2);
    CHECK(router.lost(a) == 1); // which is counted all the same
    changes.at(2)({.revision = 2});
    CHECK(hears() == "{\"type\":\"ok\",\"id\":1,\"revision\":2}\n");
}

TEST_CASE_FIXTURE(Bench, "the welcome comes before what is asked for in one breath with hello")
{
    const auto a = worker("web", 2, 3);
    for (const auto* const line :
         {R"({"type":"hello","protocol":1})", R"({"type":"sync"})", R"({"type":"campaign"})"})
        say(a, line);
    const auto told = hears(a);
    CHECK(told.starts_with(R"({"type":"welcome",)"));
    CHECK(told.find(R"({"type":"snapshot",)") != std::string::npos);
}

TEST_CASE_FIXTURE(Bench,
                  "what is published comes to whoever has subscribed, once, as the bytes it was")
{
    const auto a = worker("web", 1);
    const auto b = worker("web", 2);
    const auto c = worker("web", 3);
    CHECK(router.is_silent());
    for (const auto* pattern : {"a.*", "a.>"})
        say(b, std::string{R"({"type":"subscribe","pattern":")"} + pattern + "\"}");
    say(a, R"({"type":"subscribe","pattern":"a.b","id":1})");
    CHECK_FALSE(router.is_silent());
    say(a, R"({"type":"publish","topic":"a.b","data":{"x" : 1},"id":2})");
    router.flush();
    const std::string message =
        "{\"type\":\"message\",\"topic\":\"a.b\",\"from\":\"web/1\",\"data\":{\"x\" : 1}}\n";
    CHECK(hears(a) == "{\"type\":\"ok\",\"id\":1}\n" + message +
                          "{\"type\":\"ok\",\"id\":2,\"receivers\":2}\n");
    CHECK(hears(b) == message);
    CHECK(hears(c).empty());
    CHECK(heard == std::multiset<Member>{a, b}); // each once, however much it is to hear
    say(b, R"({"type":"unsubscribe","pattern":"a.*"})");
    say(b, R"({"type":"unsubscribe","pattern":"a.>"})");
    say(a, R"({"type":"publish","topic":"a.b","data":2})");
    CHECK(hears(b).empty());
}

TEST_CASE_FIXTURE(Bench, "the master's topics are its own")
{
    const auto a = worker("web", 1);
    say(a, R"({"type":"subscribe","pattern":"usher.>"})");
    for (const std::string type : {"publish", "send", "request"}) {
        CAPTURE(type);
        say(a, R"({"type":")" + type + R"(","topic":"usher.events.exit","data":1,"id":4})");
        CHECK(hears(a) == "{\"type\":\"error\",\"id\":4,\"code\":\"forbidden\",\"reason\":\"topics "
                          "that begin with usher. are the master's\"}\n");
    }
    CHECK(router.publish("usher", "usher.events.exit", "{}") == 1);
    CHECK(
        hears(a) ==
        "{\"type\":\"message\",\"topic\":\"usher.events.exit\",\"from\":\"usher\",\"data\":{}}\n");
}

TEST_CASE_FIXTURE(Bench, "what is sent comes to a slot, to a pool, or to all others")
{
    const auto w1 = worker("web", 1);
    const auto w2 = worker("web", 2);
    const auto j1 = worker("jobs", 1);
    const auto heard_by = [&](std::string_view line) {
        say(w1, line);
        std::string text;
        for (const auto member : {w1, w2, j1})
            text += hears(member).empty() ? "-" : "x";
        return text;
    };
    CHECK(heard_by(R"({"type":"send","data":1})") == "-x-");
    CHECK(heard_by(R"({"type":"send","slot":2,"data":1})") == "-x-");
    CHECK(heard_by(R"({"type":"send","slot":1,"data":1})") == "x--"); // itself, if it says so
    CHECK(heard_by(R"({"type":"send","pool":"jobs","data":1})") == "--x");
    CHECK(heard_by(R"({"type":"send","pool":"jobs","slot":2,"data":1})") == "---");
    say(w1, R"({"type":"send","topic":"t","pool":"jobs","data":1,"id":1})");
    CHECK(hears(w1) == "{\"type\":\"ok\",\"id\":1,\"receivers\":1}\n");
    CHECK(hears(j1) == "{\"type\":\"message\",\"topic\":\"t\",\"from\":\"web/1\",\"data\":1}\n");
}

TEST_CASE_FIXTURE(Bench, "who has said nothing is not there for what is sent, until it does")
{
    const auto a = worker("web", 1);
    const auto b = silent_worker("web", 2);
    constexpr std::string_view to_all = R"({"type":"send","data":1,"id":1})";
    constexpr std::string_view to_one = R"({"type":"send","slot":2,"data":2,"id":2})";
    constexpr std::string_view question =
        R"({"type":"request","slot":2,"topic":"t","data":3,"id":3})";
    for (const auto line : {to_all, to_one, question})
        say(a, line);
    CHECK(hears(a) == "{\"type\":\"ok\",\"id\":1,\"receivers\":0}\n"
                      "{\"type\":\"ok\",\"id\":2,\"receivers\":0}\n"
                      "{\"type\":\"done\",\"id\":3,\"replies\":0,\"missing\":[]}\n");
    CHECK(hears(b).empty());
    say(b, "garbage");
    CHECK(hears(b).find("bad-line") != std::string::npos);
    say(a, to_one);
    CHECK(hears(b).empty());
    say(b, R"({"type":"hello","protocol":1})");
    static_cast<void>(hears(a));
    static_cast<void>(hears(b));
    say(a, to_one);
    CHECK(hears(a) == "{\"type\":\"ok\",\"id\":2,\"receivers\":1}\n");
    CHECK(hears(b) == "{\"type\":\"message\",\"from\":\"web/1\",\"data\":2}\n");
}

TEST_CASE_FIXTURE(Bench, "those outside are woken when nobody is left for them, workers are not")
{
    const auto a = worker("web", 1);
    bool is_woken = false;
    const auto outside = router.join({}, BusConfig{}, [&] { is_woken = true; });
    CHECK(router.has_workers());
    router.end_outside();
    router.flush();
    CHECK(is_woken);
    CHECK(router.is_over(outside));
    CHECK(heard.empty());
    const auto later = router.join({}, BusConfig{}, [] {}); // the pool may be there again
    CHECK_FALSE(router.is_over(later));
    router.leave(a);
    CHECK_FALSE(router.has_workers());
}

TEST_CASE_FIXTURE(Bench,
                  "from outside all workers are sent to, and whoever is outside is no worker")
{
    const auto w1 = worker("web", 1);
    const auto j1 = worker("jobs", 1);
    const auto outside = router.join({}, BusConfig{}, [] {});
    say(outside, R"({"type":"send","data":1,"id":1})");
    CHECK(hears(outside) == "{\"type\":\"ok\",\"id\":1,\"receivers\":2}\n");
    CHECK(hears(w1) == "{\"type\":\"message\",\"from\":\"usher\",\"data\":1}\n");
    CHECK_FALSE(hears(j1).empty());
    say(w1, R"({"type":"send","data":1})");
    CHECK(hears(outside).empty());
    say(outside, R"({"type":"campaign"})");
    CHECK(hears(outside) == "{\"type\":\"leader\",\"is\":false}\n");
}

TEST_CASE_FIXTURE(Bench, "a request is answered by all who have subscribed but the one who asks")
{
    const auto a = worker("web", 1);
    const auto b = worker("web", 2);
    const auto c = worker("web", 3);
    for (const auto member : {a, b, c})
        say(member, R"({"type":"subscribe","pattern":"stats"})");
    say(a, R"({"type":"request","id":"q","topic":"stats","timeout_ms":1000,"data":[]})");
    CHECK(hears(a).empty());
    const std::string question = "{\"type\":\"request\",\"id\":1,\"topic\":\"stats\",\"from\":"
                                 "\"web/1\",\"timeout_ms\":1000,\"data\":[]}\n";
    CHECK(hears(b) == question);
    CHECK(hears(c) == question);
    say(b, R"({"type":"reply","id":1,"data":{"n":1}})");
    say(b, R"({"type":"reply","id":1,"data":{"n":2}})"); // once
    CHECK(hears(a) == "{\"type\":\"reply\",\"id\":\"q\",\"from\":\"web/2\",\"data\":{\"n\":1}}\n");
    say(c, R"({"type":"reply","id":1,"error":"no"})");
    CHECK(hears(a) == "{\"type\":\"reply\",\"id\":\"q\",\"from\":\"web/3\",\"error\":\"no\"}\n"
                      "{\"type\":\"done\",\"id\":\"q\",\"replies\":2,\"missing\":[]}\n");
    CHECK_FALSE(router.next_deadline());
}

TEST_CASE_FIXTURE(Bench, "who has not answered in time, or has ended, is missing")
{
    const auto a = worker("web", 1);
    const auto b = worker("web", 2);
    const auto c = worker("web", 3);
    for (const auto member : {b, c})
        say(member, R"({"type":"subscribe","pattern":"stats"})");
    say(a, R"({"type":"request","id":1,"topic":"stats","timeout_ms":1000,"data":0})");
    CHECK(router.next_deadline() == now + 1s);
    router.leave(b);
    CHECK(hears(a).empty());
    router.advance(now + 999ms);
    CHECK(hears(a).empty());
    router.advance(now + 1s);
    CHECK(hears(a) ==
          "{\"type\":\"done\",\"id\":1,\"replies\":0,\"missing\":[\"web/2\",\"web/3\"]}\n");
    say(c, R"({"type":"reply","id":1,"data":1})"); // late
    CHECK(hears(a).empty());
}

TEST_CASE_FIXTURE(Bench, "who only listens from outside is not asked")
{
    const auto a = worker("web", 1);
    const auto outside = router.join({}, BusConfig{}, [] {});
    say(outside, R"({"type":"subscribe","pattern":">"})");
    say(a, R"({"type":"request","id":1,"topic":"stats","data":0})");
    CHECK(hears(a) == "{\"type\":\"done\",\"id\":1,\"replies\":0,\"missing\":[]}\n");
    CHECK(hears(outside).empty());
}

TEST_CASE_FIXTURE(Bench, "a request that nobody is there to answer is done at once")
{
    const auto a = worker("web", 1);
    say(a, R"({"type":"request","id":1,"topic":"stats","data":0})");
    say(a, R"({"type":"request","id":2,"slot":9,"data":0})");
    CHECK(hears(a) == "{\"type\":\"done\",\"id\":1,\"replies\":0,\"missing\":[]}\n"
                      "{\"type\":\"done\",\"id\":2,\"replies\":0,\"missing\":[]}\n");
}

TEST_CASE_FIXTURE(Bench, "a member has no more than so many patterns and requests")
{
    const auto a = worker("web", 1);
    const auto b = worker("web", 2);
    say(b, R"({"type":"subscribe","pattern":"t"})");
    for (int i = 0; i < 1000; ++i) {
        say(a, R"({"type":"subscribe","pattern":"p)" + std::to_string(i) + "\"}");
        say(a, R"({"type":"request","id":1,"topic":"t","data":0})");
    }
    CHECK(hears(a).empty());
    say(a, R"({"type":"subscribe","pattern":"one.more","id":"s"})");
    say(a, R"({"type":"subscribe","pattern":"p1"})"); // it has that already
    say(a, R"({"type":"request","id":2,"topic":"t","data":0})");
    CHECK(hears(a) == "{\"type\":\"error\",\"id\":\"s\",\"code\":\"too-many\",\"reason\":\"it has "
                      "1000 patterns already\"}\n"
                      "{\"type\":\"error\",\"id\":2,\"code\":\"too-many\",\"reason\":\"1000 "
                      "requests of it are under way\"}\n");
}

TEST_CASE_FIXTURE(Bench, "all patterns of a member have no more than so many words")
{
    const auto a = worker("web", 1);
    std::string tail;
    for (int i = 0; i < 31; ++i)
        tail += ".a";
    for (int i = 0; i < 125; ++i)
        say(a, R"({"type":"subscribe","pattern":")" + std::to_string(i) + tail + "\"}");
    CHECK(hears(a).empty());
    say(a, R"({"type":"subscribe","pattern":"b"})");
    CHECK(hears(a).find("too-many") != std::string::npos);
    say(a, R"({"type":"unsubscribe","pattern":"0)" + tail + "\"}");
    say(a, R"({"type":"subscribe","pattern":"b"})");
    CHECK(hears(a).empty());
}

TEST_CASE_FIXTURE(Bench, "what is no line harms its sender only")
{
    const auto a = worker("web", 1);
    const auto b = worker("web", 2);
    say(a, "garbage");
    say(a, R"({"type":"publish","id":3})");
    CHECK(
        hears(a) ==
        "{\"type\":\"error\",\"id\":null,\"code\":\"bad-line\",\"reason\":\"is no JSON object\"}\n"
        "{\"type\":\"error\",\"id\":3,\"code\":\"bad-member\",\"reason\":\"\\\"publish\\\" needs "
        "\\\"topic\\\"\"}\n");
    CHECK(hears(b).empty());
    say(77, R"({"type":"hello"})"); // nobody
}

TEST_CASE_FIXTURE(
    Bench, "changes of the store are acknowledged behind the change, and seen by who has a copy")
{
    const auto a = worker("web", 1);
    const auto b = worker("web", 2);
    say(a, R"({"type":"sync"})");
    hears(a);
    say(b, R"({"type":"put","id":1,"key":"k","value":"v"})");
    say(b, R"({"type":"put","id":2,"key":"k","value":"w","expected":7})");
    say(b, R"({"type":"increment","id":3,"key":"n","by":5})");
    say(b, R"({"type":"get","id":4,"key":"k"})");
    say(b, R"({"type":"get","id":5,"key":"none"})");
    say(b, R"({"type":"erase","key":"k"})"); // without an id no answer
    CHECK(hears(b) == "{\"type\":\"ok\",\"id\":1,\"revision\":1}\n"
                      "{\"type\":\"error\",\"id\":2,\"code\":\"conflict\",\"reason\":\"the key has "
                      "revision 1\",\"revision\":1}\n"
                      "{\"type\":\"ok\",\"id\":3,\"revision\":2,\"value\":5}\n"
                      "{\"type\":\"ok\",\"id\":4,\"revision\":1,\"value\":\"v\"}\n"
                      "{\"type\":\"ok\",\"id\":5,\"revision\":0}\n");
    CHECK(hears(a) == "{\"type\":\"set\",\"key\":\"k\",\"revision\":1,\"value\":\"v\"}\n"
                      "{\"type\":\"set\",\"key\":\"n\",\"revision\":2,\"value\":5}\n"
                      "{\"type\":\"erased\",\"key\":\"k\",\"revision\":3}\n");
    say(b, R"({"type":"put","key":"l","value":1})");
    say(a, R"({"type":"put","id":6,"key":"k","value":2,"expected":1})"); // it has gone meanwhile
    CHECK(hears(a) == "{\"type\":\"set\",\"key\":\"l\",\"revision\":4,\"value\":1}\n"
                      "{\"type\":\"error\",\"id\":6,\"code\":\"conflict\",\"reason\":\"the "
                      "key is not there\",\"revision\":0}\n");
    say(a, R"({"type":"put","id":1,"key":"k","value":2})");
    CHECK(hears(a) == "{\"type\":\"set\",\"key\":\"k\",\"revision\":5,\"value\":2}\n"
                      "{\"type\":\"ok\",\"id\":1,\"revision\":5}\n");
}

TEST_CASE_FIXTURE(Bench,
                  "each pool has one leader, and the next is named when its process has ended")
{
    const auto w1 = worker("web", 1);
    const auto w2 = worker("web", 2);
    const auto j1 = worker("jobs", 1);
    for (const auto member : {w1, w2, j1})
        say(member, R"({"type":"campaign"})");
    const std::string yes = "{\"type\":\"leader\",\"is\":true}\n";
    const std::string no = "{\"type\":\"leader\",\"is\":false}\n";
    CHECK(hears(w1) == yes);
    CHECK(hears(w2) == no);
    CHECK(hears(j1) == yes);
    router.leave(w1); // its socket is closed, and it may still believe it
    CHECK(hears(w2).empty());
    CHECK(router.leader("web") == w1);
    router.on_ended(who[w1]);
    CHECK(hears(w2) == yes);
    router.on_leaving(who[w2]);
    CHECK(hears(w2) == no);
    const auto w3 = worker("web", 1);
    say(w3, R"({"type":"campaign"})");
    CHECK(hears(w3) == no);
    say(w2, R"({"type":"campaign"})"); // it is about to end
    CHECK(hears(w2) == no);
    say(w2, R"({"type":"resign","id":1})");
    CHECK(hears(w2) == "{\"type\":\"ok\",\"id\":1}\n");
    CHECK(hears(w3) == yes);
}

TEST_SUITE_END();

} // namespace usher::bus_router_test
