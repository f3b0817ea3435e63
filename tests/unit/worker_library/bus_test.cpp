// SPDX-License-Identifier: MIT
//
// The bus in C++, with a master that is played by the test.
#include "usher/worker/bus.hpp"

#include "tests/support/fake_bus.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/run_until.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace usher::worker_bus_test {

namespace asio = boost::asio;

using namespace usher::test;
using namespace std::chrono_literals;
using usher::worker::Bus;
using usher::worker::BusError;
using usher::worker::Message;
using usher::worker::Question;
using usher::worker::Replies;

namespace {

using Lines = std::vector<std::string>;
using Error = boost::system::error_code;

struct Fixture : NoFdLeak {
    FakeBus master;
    asio::io_context io;
    std::optional<Bus> bus{std::in_place, io};

    Fixture() { master.welcome(); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture()
    {
        bus.reset();
        CHECK(run_to_end(io));
    }

    /// The next lines the worker says.
    Lines heard(std::size_t count = 1)
    {
        Lines lines;
        REQUIRE(run_until(io, [&] {
            for (auto& line : master.heard())
                lines.push_back(std::move(line));
            return lines.size() >= count;
        }));
        return lines;
    }

    /// What an operation comes to; `start` is given the handler.
    template <typename Result, typename Start>
    std::pair<Error, Result> result_of(Start start, const Lines& answers = {})
    {
        std::optional<std::pair<Error, Result>> result;
        start([&result](Error error, Result value) { result.emplace(error, std::move(value)); });
        if (!answers.empty())
            CHECK(heard().size() == 1);
        for (const auto& answer : answers)
            master.say(answer);
        REQUIRE(run_until(io, [&] { return result.has_value(); }));
        return *result;
    }

    std::pair<Error, Message> receive()
    {
        return result_of<Message>([this](auto handler) { bus->async_receive(handler); });
    }
};

} // namespace

TEST_SUITE_BEGIN("worker_bus");

TEST_CASE("without usher there is no bus")
{
    asio::io_context io;
    CHECK_FALSE(Bus::is_available());
    try {
        const Bus bus{io};
        FAIL("was opened");
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::no_such_file_or_directory);
        CHECK(std::string{error.what()}.starts_with("USHER_BUS_FD is not set"));
    }
    const FakeBus master;
    CHECK(Bus::is_available());
}

TEST_CASE(
    "of a worker's processes one has the bus, and the next may open it when that one has ended")
{
    const FakeBus master;
    OtherBusOwner other{master};
    asio::io_context io;
    try {
        const Bus bus{io};
        FAIL("was opened");
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::device_or_resource_busy);
        CHECK(std::string{error.what()}.starts_with("process " + std::to_string(other.pid()) +
                                                    " of this worker has the bus open"));
    }
    CHECK(Bus::is_available());
    other.end();
    const Bus bus{io};
    CHECK_FALSE(Bus::is_available());
}

TEST_CASE_FIXTURE(Fixture, "messages are received in a coroutine, and questions answered")
{
    Lines received;
    const auto run = [&]() -> asio::awaitable<void> {
        for (;;) {
            const auto [error, message] =
                co_await bus->async_receive(asio::as_tuple(asio::use_awaitable));
            if (error)
                co_return;
            received.push_back(message.from + " " + message.topic + " " + message.data);
            if (message.kind == Message::Kind::request) {
                CHECK(message.timeout == 1s);
                CHECK_FALSE(bus->reply(message, "[1]"));
                CHECK_FALSE(bus->refuse(message, "no"));
            }
        }
    };
    co_spawn(io, run, asio::detached);
    CHECK_FALSE(bus->subscribe("a.*"));
    CHECK(heard() == Lines{R"({"type":"subscribe","pattern":"a.*"})"});

    master.say(R"({"type":"message","topic":"a.b","from":"web/1","data":{"x":1}})");
    master.say(
        R"({"type":"request","id":5,"topic":"q","from":"web/3","timeout_ms":1000,"data":2})");
    CHECK(heard(2) == Lines{R"({"type":"reply","id":5,"data":[1]})",
                            R"({"type":"reply","id":5,"error":"no"})"});
    CHECK(received == Lines{R"(web/1 a.b {"x":1})", "web/3 q 2"});
}

TEST_CASE_FIXTURE(Fixture, "a request gives all answers, and who has given none")
{
    const auto [error, all] = result_of<Replies>(
        [this](auto handler) { bus->async_request("load", "null", 100ms, handler); },
        {R"({"type":"reply","id":1,"from":"web/2","data":7})",
         R"({"type":"reply","id":9,"from":"web/9","data":8})",
         R"({"type":"reply","id":1,"from":"web/3","error":"busy"})",
         R"({"type":"done","id":1,"replies":2,"missing":["web/4","a\"\\b/5"]})"});
    CHECK_FALSE(error);
    REQUIRE(all.replies.size() == 2);
    CHECK(all.replies[0].from == "web/2");
    CHECK(all.replies[0].data == "7");
    CHECK(all.replies[1].error == "busy");
    CHECK(all.missing == Lines{"web/4", R"(a"\b/5)"});
}

TEST_CASE_FIXTURE(Fixture, "a request says how it is asked")
{
    Question question;
    question.max = 1;
    question.to = {.pool = "api", .slot = 3};
    bus->async_request("load", "null", question, [](Error, const Replies&) {});
    CHECK(heard() == Lines{R"({"type":"request","pool":"api","slot":3,"timeout_ms":5000,"max":1,)"
                           R"("topic":"load","data":null,"id":1})"});
}

TEST_CASE_FIXTURE(Fixture, "what is asked for is answered, in whatever order")
{
    std::optional<std::size_t> receivers;
    std::optional<Error> subscribed;
    bus->async_publish("a", "1", [&](Error error, std::size_t count) {
        CHECK_FALSE(error);
        receivers = count;
    });
    bus->async_subscribe("a..b", [&](Error error) { subscribed = error; });
    CHECK(heard(2).size() == 2);
    master.say(R"({"type":"error","id":2,"code":"bad-member","reason":"pattern"})");
    master.say(R"({"type":"ok","id":1,"receivers":3})");
    REQUIRE(run_until(io, [&] { return receivers && subscribed; }));
    CHECK(*receivers == 3);
    CHECK(*subscribed == BusError::bad_member);
    CHECK(subscribed->message() == "a member of the message is not as it must be");
}

TEST_CASE_FIXTURE(Fixture, "what cannot be said is told at once, or by the operation")
{
    CHECK(bus->publish("a", "{") == boost::system::errc::invalid_argument);
    CHECK(bus->publish(std::string_view{"a\0b", 3}, "1") == boost::system::errc::invalid_argument);
    const auto [error, count] =
        result_of<std::size_t>([this](auto handler) { bus->async_publish("a", "{", handler); });
    CHECK(error == boost::system::errc::invalid_argument);
    CHECK(master.heard().empty());
}

TEST_CASE_FIXTURE(Fixture, "what the master does not take of what was said is received as an error")
{
    CHECK_FALSE(bus->publish("usher.x", "1"));
    master.say(R"({"type":"error","code":"forbidden","reason":"usher. is the master's"})");
    const auto [error, message] = receive();
    CHECK_FALSE(error);
    CHECK(message.kind == Message::Kind::error);
    CHECK(message.data == "usher. is the master's");
}

TEST_CASE_FIXTURE(Fixture, "a receive that is cancelled takes no message away")
{
    asio::cancellation_signal signal;
    std::optional<Error> outcome;
    bus->async_receive(asio::bind_cancellation_slot(
        signal.slot(), [&](Error error, const Message&) { outcome = error; }));
    run_ready(io);
    CHECK_FALSE(outcome);
    signal.emit(asio::cancellation_type::total);
    CHECK_FALSE(outcome); // not inside of it
    REQUIRE(run_until(io, [&] { return outcome.has_value(); }));
    CHECK(*outcome == asio::error::operation_aborted);

    master.say(R"({"type":"message","from":"web/1","data":1})");
    CHECK(receive().second.data == "1");
}

TEST_CASE_FIXTURE(Fixture, "a request that is cancelled does not wait for its answers")
{
    asio::cancellation_signal signal;
    std::optional<Error> outcome;
    bus->async_request("q", "1", 5s,
                       asio::bind_cancellation_slot(
                           signal.slot(), [&](Error error, const Replies&) { outcome = error; }));
    CHECK(heard().size() == 1);
    master.say(R"({"type":"reply","id":1,"from":"web/2","data":7})");
    run_ready(io);
    signal.emit(asio::cancellation_type::terminal);
    REQUIRE(run_until(io, [&] { return outcome.has_value(); }));
    CHECK(*outcome == asio::error::operation_aborted);
    master.say(R"({"type":"done","id":1,"replies":1,"missing":[]})");
    master.say(R"({"type":"message","from":"web/1","data":1})");
    CHECK(receive().second.data == "1");
}

TEST_CASE_FIXTURE(Fixture, "of what nobody receives the oldest is lost, and counted")
{
    const std::string data = '"' + std::string(60'000, 'x') + '"';
    constexpr std::uint64_t count = 300; // 18 MB
    for (std::uint64_t i = 0; i < count; ++i) {
        master.say(R"({"type":"message","from":"web/1","topic":")" + std::to_string(i) +
                   R"(","data":)" + data + "}");
        run_ready(io);
    }
    const auto first = receive().second;
    CHECK(first.kind == Message::Kind::lost);
    CHECK(first.count > 10);
    CHECK(first.count < 40);
    for (auto i = first.count; i < count; ++i)
        CHECK(receive().second.topic == std::to_string(i));
}

TEST_CASE_FIXTURE(Fixture, "leadership is told when it changes, and ends with resigning")
{
    const auto next = [this] {
        return result_of<bool>([this](auto handler) { bus->async_leadership(handler); });
    };
    CHECK_FALSE(bus->campaign());
    CHECK(heard() == Lines{R"({"type":"campaign"})"});
    master.say(R"({"type":"leader","is":false})"); // somebody else is
    master.say(R"({"type":"leader","is":true})");
    CHECK(next() == std::pair{Error{}, true});
    CHECK(bus->is_leader());
    master.say(R"({"type":"leader","is":false})");
    CHECK(next() == std::pair{Error{}, false});
    CHECK_FALSE(bus->is_leader());
    CHECK_FALSE(bus->resign());
    CHECK(heard() == Lines{R"({"type":"resign","id":9223372036854775809})"});
    master.say(R"({"type":"ok","id":9223372036854775809})");

    master.say(R"({"type":"leader","is":true})");
    CHECK(next().second);
    CHECK_FALSE(bus->resign());
    CHECK_FALSE(bus->is_leader());
    master.say(R"({"type":"ok","id":9223372036854775810})");
    master.say(R"({"type":"leader","is":true})");
    CHECK(next().second);
}

TEST_CASE_FIXTURE(Fixture, "the end completes everything, and lets the event loop return")
{
    std::vector<Error> outcomes;
    const auto note = [&outcomes](Error error, auto&&...) { outcomes.push_back(error); };
    bus->async_receive(note);
    bus->async_request("q", "1", 5s, note);
    bus->async_publish("a", "1", note);
    bus->async_leadership(note);
    run_ready(io);
    master.die();
    CHECK(run_to_end(io)); // although the bus is not closed
    CHECK(outcomes == std::vector<Error>(4, asio::error::eof));

    bus->async_receive(note);
    bus->async_request("q", "1", 5s, note);
    bus->async_leadership(note);
    CHECK(run_to_end(io));
    CHECK(outcomes == std::vector<Error>(7, asio::error::eof));
    CHECK(bus->publish("a", "1") == boost::system::errc::broken_pipe);
}

TEST_CASE_FIXTURE(Fixture, "what came before the end is received first")
{
    master.say(R"({"type":"message","from":"web/1","data":1})");
    master.die();
    CHECK(run_to_end(io));
    CHECK(receive().second.data == "1");
    CHECK(receive().first == asio::error::eof);
}

TEST_CASE_FIXTURE(Fixture, "a bus keeps the event loop until it is closed")
{
    run_ready(io);
    CHECK_FALSE(io.stopped());
    std::vector<Error> outcomes;
    const auto note = [&outcomes](Error error, auto&&...) { outcomes.push_back(error); };
    bus->async_receive(note);
    bus->async_request("q", "1", 5s, note);
    CHECK_FALSE(bus->publish("last", "1"));
    bus->close();
    CHECK(run_to_end(io));
    CHECK(outcomes == std::vector<Error>(2, asio::error::operation_aborted));
    CHECK(master.heard().size() == 2);
    CHECK(bus->publish("a", "1") == asio::error::operation_aborted);
    bus->async_receive(note);
    CHECK(run_to_end(io));
    CHECK(outcomes.size() == 3);
}

TEST_CASE_FIXTURE(Fixture, "a handler that closes the bus is safe while more has come")
{
    int received = 0;
    bus->async_receive([&](Error, const Message&) {
        ++received;
        bus.reset();
    });
    std::string lines;
    for (int i = 0; i < 600; ++i)
        lines += R"({"type":"message","from":"web/1","data":1})"
                 "\n";
    master.write(lines);
    CHECK(run_to_end(io));
    CHECK(received == 1);
}

TEST_SUITE_END();

} // namespace usher::worker_bus_test
