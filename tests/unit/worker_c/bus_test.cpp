// SPDX-License-Identifier: MIT
//
// The bus in C, with a master that is played by the test.
#include "usher.h"

#include "tests/support/fake_bus.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"
#include "tests/unit/worker_c/bus_words.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace usher::bus_test {

using namespace usher::test;

namespace {

using Lines = std::vector<std::string>;

int sends_without_memory = 0; ///< so many of the next send(2) fail

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

    /// All events there are now, each as a line of text.
    Lines events() { return events_of(bus); }

    /// What the master has been told.
    Lines heard()
    {
        usher_bus_flush(bus);
        return master.heard();
    }
};

std::string open_refusal()
{
    usher_bus* const bus = usher_bus_open();
    const bool opened = bus != nullptr;
    usher_bus_close(bus);
    return opened ? "opened" : usher_error();
}

} // namespace

TEST_SUITE_BEGIN("bus");

TEST_CASE_FIXTURE(NoFdLeak, "the descriptor becomes close-on-exec, and the variable is removed")
{
    const FakeBus master;
    const int given = master.given();
    usher_bus* const bus = usher_bus_open();
    CHECK(is_close_on_exec(given));
    CHECK(is_close_on_exec(usher_bus_fd(bus)));
    CHECK(::getenv("USHER_BUS_FD") == nullptr);
    CHECK_FALSE(is_non_blocking(given)); // a shell that shares it would be surprised
    usher_bus_close(bus);
    CHECK_FALSE(is_open(given));
}

TEST_CASE_FIXTURE(NoFdLeak, "where there is no bus, or what is no bus, it says so")
{
    usher_bus_close(nullptr);
    CHECK(open_refusal() ==
          "USHER_BUS_FD is not set: only a program that usher has started has a bus");
    CHECK(errno == ENOENT);

    ::setenv("USHER_BUS_FD", "7x", 1);
    CHECK(open_refusal() == "USHER_BUS_FD is \"7x\", which is no number");
    ::setenv("USHER_BUS_FD", "999999", 1);
    CHECK(open_refusal() == "USHER_BUS_FD names descriptor 999999, which is not open");
    const auto null = open_null();
    ::setenv("USHER_BUS_FD", std::to_string(null.get()).c_str(), 1);
    CHECK(open_refusal() == "USHER_BUS_FD names descriptor " + std::to_string(null.get()) +
                                ", which is no stream socket");
    ::unsetenv("USHER_BUS_FD");
}

TEST_CASE_FIXTURE(NoFdLeak, "of a worker's processes one has the bus, and the next begins anew")
{
    FakeBus master;
    OtherBusOwner other{master};
    CHECK(open_refusal() == "process " + std::to_string(other.pid()) +
                                " of this worker has the bus open, and two would take each other's "
                                "messages: let one of them speak for all");
    CHECK(errno == EBUSY);

    other.end();
    master.write("ge\",\"from\":\"a/1\",\"data\":1}\n"); // of which that one had read the rest
    usher_bus* const bus = usher_bus_open();
    REQUIRE(bus != nullptr);
    CHECK(master.heard() == Lines{R"({"type":"publ)", R"({"type":"hello","protocol":1})"});
    master.say(R"({"type":"leader","is":true})");
    CHECK(events_of(bus).empty());
    master.say(R"({"type":"message","from":"a/1","data":1})");
    master.say(R"({"type":"welcome","protocol":1,"pool":"web","slot":2})");
    master.say(R"({"type":"message","from":"a/1","data":2})");
    CHECK(events_of(bus) == Lines{"message from=a/1 data=2"});
    CHECK_FALSE(usher_bus_is_leader(bus));
    usher_bus_close(bus);
}

TEST_CASE_FIXTURE(Fixture, "everything that can be said is said as the protocol has it")
{
    std::uint64_t id = 0;
    CHECK(usher_bus_publish(bus, "cache.clear", "{\"id\":7}", nullptr) == 0);
    CHECK(usher_bus_publish(bus, "cache.clear", "null", &id) == 0);
    CHECK(id == 1);
    CHECK(usher_bus_send(bus, "web", 2, nullptr, "1", nullptr) == 0);
    CHECK(usher_bus_send(bus, nullptr, 0, "all", "2", nullptr) == 0);
    CHECK(usher_bus_subscribe(bus, "cache.*", &id) == 0);
    CHECK(usher_bus_unsubscribe(bus, "cache.*", nullptr) == 0);
    CHECK(usher_bus_reply(bus, 12, "[1]") == 0);
    CHECK(usher_bus_fail(bus, 13, "no \"such\" \\ thing\n") == 0);
    CHECK(usher_bus_campaign(bus) == 0);
    CHECK(usher_bus_resign(bus) == 0);
    CHECK(heard() == Lines{R"({"type":"publish","topic":"cache.clear","data":{"id":7}})",
                           R"({"type":"publish","topic":"cache.clear","data":null,"id":1})",
                           R"({"type":"send","pool":"web","slot":2,"data":1})",
                           R"({"type":"send","topic":"all","data":2})",
                           R"({"type":"subscribe","pattern":"cache.*","id":2})",
                           R"({"type":"unsubscribe","pattern":"cache.*"})",
                           R"({"type":"reply","id":12,"data":[1]})",
                           R"({"type":"reply","id":13,"error":"no \"such\" \\ thing\u000a"})",
                           R"({"type":"campaign"})",
                           R"({"type":"resign","id":9223372036854775809})"});

    usher_bus_question question = USHER_BUS_QUESTION_INIT;
    CHECK(usher_bus_request(bus, "load", "{}", nullptr, &id) == 0);
    question.timeout_ms = 100;
    question.max = 1;
    question.slot = 4;
    CHECK(usher_bus_request(bus, "load", "{}", &question, &id) == 0);
    CHECK(id == 4);
    CHECK(heard() == Lines{R"({"type":"request","topic":"load","data":{},"id":3})",
                           R"({"type":"request","slot":4,"timeout_ms":100,"max":1,"topic":"load",)"
                           R"("data":{},"id":4})"});
}

TEST_CASE_FIXTURE(Fixture, "what the master would not take is not said")
{
    const auto refusal = [this](const char* topic, const std::string& data) {
        const int result = usher_bus_publish(bus, topic, data.c_str(), nullptr);
        return result == 0 ? 0 : errno;
    };
    CHECK(refusal("a", "") == EINVAL);
    CHECK(refusal("a", "{\"a\":") == EINVAL);
    CHECK(refusal("a", "1}\n{\"type\":\"resign\"") == EINVAL);
    CHECK(refusal("a", std::string(64, '[') + std::string(64, ']')) == EINVAL);
    CHECK(refusal("\x80", "1") == EINVAL);
    CHECK(refusal("a", '"' + std::string(65'535, 'x') + '"') == EMSGSIZE);
    CHECK(refusal(std::string(70'000, 'x').c_str(), "1") == EMSGSIZE);
    CHECK(refusal(std::string(5'000, 'x').c_str(), '"' + std::string(65'534, 'x') + '"') ==
          EMSGSIZE);
    CHECK(heard().empty());

    CHECK(refusal("a", '"' + std::string(65'534, 'x') + '"') == 0);
    CHECK(refusal("a", "{\r\n  \"a\": \"\\n\"\n}") == 0); // as whoever writes prettily has it
    const auto lines = heard();
    REQUIRE(lines.size() == 2);
    CHECK(lines[1] == "{\"type\":\"publish\",\"topic\":\"a\",\"data\":{\r   \"a\": \"\\n\" }}");
}

TEST_CASE_FIXTURE(Fixture, "what comes is told with all that it says")
{
    master.say(R"({"type":"message","topic":"a.b","from":"web/1","data":{"x":[1, 2]}})");
    master.say(R"({"data":"\u00e4","from":"usher","type":"message"})");
    master.say(
        R"({"type":"request","id":12,"topic":"q","from":"web/1","timeout_ms":1000,"data":null})");
    master.say(R"({"type":"reply","id":3,"from":"web/2","data":1.5})");
    master.say(R"({"type":"reply","id":3,"from":"web/3","error":"say \"please\""})");
    master.say(R"({"type":"done","id":3,"replies":2,"missing":["web/4"]})");
    master.say(R"({"type":"ok","id":4,"receivers":2})");
    master.say(R"({"type":"ok","id":5,"revision":19,"value":-7})");
    master.say(R"({"type":"error","id":6,"code":"conflict","reason":"other","revision":18})");
    master.say(R"({"type":"error","id":null,"code":"bad-line","reason":"no JSON"})");
    master.say(R"({"type":"lost","count":17})");
    CHECK(events() == Lines{R"(message topic=a.b from=web/1 data={"x":[1, 2]})",
                            R"(message from=usher data="\u00e4")",
                            R"(request id=12 timeout=1000 topic=q from=web/1 data=null)",
                            R"(reply id=3 from=web/2 data=1.5)",
                            R"(reply id=3 from=web/3 reason=say "please")",
                            R"(done id=3 count=2 data=["web/4"])", R"(ok id=4 count=2)",
                            R"(ok id=5 revision=19 data=-7)",
                            R"(error id=6 revision=18 code=conflict reason=other)",
                            R"(error code=bad-line reason=no JSON)", R"(lost count=17)"});
}

TEST_CASE_FIXTURE(Fixture, "lines that come in pieces are put together")
{
    constexpr std::string_view line = R"({"type":"message","from":"a/1","data":"x"})";
    for (const char c : line.substr(0, line.size() - 1)) {
        master.write({&c, 1});
        CHECK(events().empty());
    }
    master.write("}\n{\"type\":\"lost\",\"count\":1}\n{\"type\":");
    CHECK(events() == Lines{R"(message from=a/1 data="x")", "lost count=1"});
    master.write("\"lost\",\"count\":2}\n");
    CHECK(events() == Lines{"lost count=2"});
}

TEST_CASE_FIXTURE(Fixture, "its descriptor is readable exactly when there is something to do")
{
    CHECK_FALSE(is_readable(usher_bus_fd(bus)));
    master.say(R"({"type":"lost","count":1})");
    CHECK(is_readable(usher_bus_fd(bus)));
    CHECK(events().size() == 1);
    CHECK_FALSE(is_readable(usher_bus_fd(bus)));

    CHECK(usher_bus_publish(bus, "a", "1", nullptr) == 0);
    CHECK(is_readable(usher_bus_fd(bus)));
    CHECK(master.heard().empty());
    CHECK(events().empty());
    CHECK_FALSE(is_readable(usher_bus_fd(bus)));
    CHECK(master.heard().size() == 1);
}

TEST_CASE_FIXTURE(Fixture,
                  "what is said while events are handled goes out in one piece behind them")
{
    master.say(R"({"type":"message","from":"a/1","data":1})");
    master.say(R"({"type":"message","from":"a/1","data":2})");
    usher_bus_event event = USHER_BUS_EVENT_INIT;
    while (usher_bus_next(bus, &event) == 0) {
        CHECK(usher_bus_publish(bus, "echo", event.data, nullptr) == 0);
        CHECK(master.heard().empty());
        CHECK_FALSE(is_readable(usher_bus_fd(bus))); // nothing was asked of the kernel for it
    }
    CHECK(usher_bus_waiting(bus) == 0);
    CHECK(master.heard().size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "when the master does not read, a MiB waits and what is more is refused")
{
    const std::string data = '"' + std::string(60'000, 'x') + '"';
    std::size_t said = 0;
    while (usher_bus_publish(bus, "a", data.c_str(), nullptr) == 0)
        ++said;
    CHECK(errno == ENOBUFS);
    CHECK(usher_bus_waiting(bus) <= 1024 * 1024);
    CHECK(usher_bus_waiting(bus) > 1024 * 1024 - 61'000);
    CHECK(usher_bus_flush(bus) == -1);
    CHECK(errno == EAGAIN);
    CHECK(events().empty());
    CHECK_FALSE(is_readable(usher_bus_fd(bus)));

    std::size_t heard = 0;
    while (heard < said) {
        for (const auto& line : master.heard()) {
            CHECK(line == R"({"type":"publish","topic":"a","data":)" + data + "}");
            ++heard;
        }
        if (heard < said) {
            wait_readable(usher_bus_fd(bus)); // there is room
            CHECK(events().empty());
        }
    }
    CHECK(usher_bus_waiting(bus) == 0);
    CHECK(usher_bus_publish(bus, "a", "1", nullptr) == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "lines of all sizes come whole and in order, whatever is refused between them")
{
    std::mt19937 random{17};
    Lines said;
    Lines all;
    const auto collect = [&] {
        usher_bus_flush(bus);
        for (auto& line : master.heard())
            all.push_back(std::move(line));
    };
    for (int i = 0; i < 3'000; ++i) {
        const std::string data = std::to_string(i + 1) + std::string(random() % 5'000, '0');
        while (usher_bus_publish(bus, "a", data.c_str(), nullptr) < 0) {
            REQUIRE(errno == ENOBUFS);
            collect();
        }
        said.push_back(R"({"type":"publish","topic":"a","data":)" + data + "}");
        if (random() % 10 == 0) // which is seen only when the line is made
            CHECK(usher_bus_publish(bus, std::string(5'000, 'x').c_str(),
                                    ('"' + std::string(65'000, 'x') + '"').c_str(), nullptr) < 0);
        if (random() % 500 == 0)
            collect();
    }
    while (usher_bus_waiting(bus) > 0)
        collect();
    collect();
    CHECK((all == said));
}

TEST_CASE_FIXTURE(Fixture,
                  "what nobody can understand is counted as lost, and what is new is passed over")
{
    master.say("garbage");
    master.say("");
    master.say("{}");
    master.say(R"({"type":7})");
    master.say(R"({"type":"message","from":"a/1"})");
    master.say(R"({"type":"message","from":"a/1","data":{]})");
    master.say(R"({"type":"lost","count":-1})");
    master.say(R"({"type":"leader","is":1})");
    master.say(R"({"type":"set","key":")" + std::string(4'000, 'x') +
               R"(","value":1,"revision":1})");
    CHECK(events() == Lines(9, "lost count=1"));

    master.say(R"({"type":"welcome","protocol":1,"pool":"web","slot":2})");
    master.say(R"({"type":"news","from":[]})");
    master.say(R"({"type":"message","from":"a/1","data":1,"new":{"type":"lost"},"topic":"x"})");
    CHECK(events() == Lines{"message topic=x from=a/1 data=1"});
}

TEST_CASE_FIXTURE(Fixture, "a line that never ends is dropped up to the next, and counted as lost")
{
    const std::string piece(60'000, 'x');
    Lines told;
    for (int i = 0; i < 10; ++i) {
        master.write(piece);
        for (const auto& event : events())
            told.push_back(event);
    }
    CHECK(told == Lines{"lost count=1"});
    master.write("\n");
    CHECK(events().empty());
    master.say(R"({"type":"lost","count":5})");
    CHECK(events() == Lines{"lost count=5"});

    // As long as the master's may be.
    master.say(R"({"type":"message","from":"a/1","data":")" + std::string(69'000, 'x') + "\"}");
    CHECK(events().size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a leader is one until it is told otherwise or resigns")
{
    CHECK_FALSE(usher_bus_is_leader(bus));
    usher_bus_campaign(bus);
    master.say(R"({"type":"leader","is":true})");
    CHECK(events() == Lines{"leader flag=1"});
    CHECK(usher_bus_is_leader(bus));
    master.say(R"({"type":"leader","is":false})");
    CHECK(events() == Lines{"leader"});
    CHECK_FALSE(usher_bus_is_leader(bus));

    master.say(R"({"type":"leader","is":true})");
    CHECK(events().size() == 1);
    usher_bus_resign(bus);
    CHECK_FALSE(usher_bus_is_leader(bus));
}

TEST_CASE_FIXTURE(Fixture, "nothing is lost while the kernel has no memory")
{
    sends_without_memory = 1;
    usher_bus_publish(bus, "a", "1", nullptr);
    CHECK(usher_bus_flush(bus) == -1);
    CHECK(errno == EAGAIN);
    CHECK(is_readable(usher_bus_fd(bus)));
    CHECK(events().empty());
    CHECK(master.heard() == Lines{R"({"type":"publish","topic":"a","data":1})"});
}

TEST_CASE_FIXTURE(Fixture, "who has resigned does not lead by what was on its way")
{
    for (const int round : {1, 2}) {
        CAPTURE(round);
        usher_bus_campaign(bus);
        usher_bus_resign(bus);
    }
    usher_bus_campaign(bus);
    const auto said = heard();
    REQUIRE(said.size() == 5);
    const auto answer = [](const std::string& resign) {
        return R"({"type":"ok",)" + resign.substr(resign.find("\"id\""));
    };
    master.say(R"({"type":"leader","is":true})");
    master.say(answer(said.at(1)));
    master.say(R"({"type":"leader","is":true})");
    CHECK(events().empty());
    CHECK_FALSE(usher_bus_is_leader(bus));
    master.say(answer(said.at(3)));
    master.say(R"({"type":"leader","is":true})");
    CHECK(events() == Lines{"leader flag=1"});
    CHECK(usher_bus_is_leader(bus));
}

TEST_CASE_FIXTURE(Fixture, "the end is told once, after all that came before it")
{
    master.say(R"({"type":"leader","is":true})");
    master.write("{\"type\":\"lost\"");
    master.die();
    CHECK(events() == Lines{"leader flag=1", "end"});
    CHECK_FALSE(usher_bus_is_leader(bus));

    usher_bus_event event = USHER_BUS_EVENT_INIT;
    CHECK(usher_bus_next(bus, &event) == -1);
    CHECK(errno == ESHUTDOWN);
    CHECK_FALSE(is_readable(usher_bus_fd(bus)));
    CHECK(usher_bus_publish(bus, "a", "1", nullptr) == -1);
    CHECK(errno == EPIPE);
    CHECK(usher_bus_waiting(bus) == 0);
}

TEST_CASE_FIXTURE(Fixture, "what is said to a master that has gone harms nobody")
{
    CHECK(usher_bus_publish(bus, "a", "1", nullptr) == 0);
    master.die();
    CHECK(usher_bus_flush(bus) == -1);
    CHECK(events() == Lines{"end"});
}

TEST_CASE_FIXTURE(Fixture, "what waits is written when the bus is closed")
{
    CHECK(usher_bus_publish(bus, "a", "1", nullptr) == 0);
    usher_bus_close(bus);
    bus = nullptr;
    CHECK(master.heard().size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a program that was built against another header gets what it knows")
{
    struct {
        usher_bus_event known = USHER_BUS_EVENT_INIT;
        std::uint64_t more = 7;
    } longer;
    longer.known.size = sizeof longer;
    master.say(R"({"type":"message","from":"a/1","data":1})");
    CHECK(usher_bus_next(bus, &longer.known) == 0);
    CHECK(longer.more == 0);
    CHECK(longer.known.size == sizeof longer);

    usher_bus_event shorter = USHER_BUS_EVENT_INIT;
    shorter.size = offsetof(usher_bus_event, data);
    shorter.data_size = 7;
    master.say(R"({"type":"message","from":"a/1","data":1})");
    while (usher_bus_next(bus, &shorter) != 0)
        wait_readable(usher_bus_fd(bus));
    CHECK(std::string{shorter.from} == "a/1");
    CHECK(shorter.data_size == 7);
}

TEST_SUITE_END();

} // namespace usher::bus_test

// In place of the C library's.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the system's are reserved
extern "C" ssize_t send(int fd, const void* bytes, std::size_t size, int flags)
{
    using usher::bus_test::sends_without_memory;
    if (sends_without_memory > 0) {
        --sends_without_memory;
        errno = ENOBUFS;
        return -1;
    }
    return ::syscall(SYS_sendto, fd, bytes, size, flags, nullptr, 0);
}
