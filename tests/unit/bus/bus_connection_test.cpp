// SPDX-License-Identifier: MIT
#include "balancer/bus/bus_connection.hpp"

#include "balancer/bus/bus_limits.hpp"
#include "common/sys/socket/channel_pair.hpp"
#include "tests/unit/bus/send_faults.hpp"

#include <doctest/doctest.h>

#include <fmt/core.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace usher::bus_connection_test {

using namespace usher::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

/// The master's end, and a socket in place of the worker.
struct Bench : BusConnection::Listener {
    asio::io_context io{1};
    sys::ChannelPair pair = sys::make_stream_pair();
    sys::UniqueFd worker = std::move(pair.child);
    std::shared_ptr<BusConnection> connection = std::make_shared<BusConnection>(
        io.get_executor(), std::move(pair.parent), InboundSocket::Senders::ours);
    Outbox waiting{BusConfig{}};
    std::vector<std::string> lines;
    int long_lines = 0;
    int gone = 0;
    std::chrono::milliseconds work{0}; ///< that each line makes

    Bench() { connection->start(*this); }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;
    virtual ~Bench() { connection->close(); }

    void on_line(std::string_view line) override
    {
        lines.emplace_back(line);
        const auto end = std::chrono::steady_clock::now() + work;
        while (std::chrono::steady_clock::now() < end)
            ;
    }
    void on_long_line() override { ++long_lines; }
    void on_heard() override {}
    void on_gone() override { ++gone; }
    [[nodiscard]] Outbox& outbox() override { return waiting; }

    void say(std::string_view text) const
    {
        REQUIRE(::send(worker.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(text.size()));
    }

    /// What the worker finds now.
    [[nodiscard]] std::string hear() const
    {
        std::array<char, 65'536> buffer;
        std::string text;
        for (;;) {
            const auto got = ::recv(worker.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (got <= 0)
                return text;
            text.append(buffer.data(), static_cast<std::size_t>(got));
        }
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

    /// Reads until all of `expected` has come; the same text, or where it differs.
    std::string hear_all(const std::string& expected)
    {
        std::string text;
        run_until([&] {
            text += hear();
            return text.size() >= expected.size();
        });
        return text;
    }
};

} // namespace

TEST_SUITE_BEGIN("bus_connection");

TEST_CASE_FIXTURE(Bench, "lines are heard whole, however they come")
{
    say("{\"a\"");
    io.poll();
    say(":1}\n\n{\"b\":2}\n{\"c\"");
    run_until([&] { return lines.size() == 2; });
    say(":3}\n");
    run_until([&] { return lines.size() == 3; });
    CHECK(lines == std::vector<std::string>{"{\"a\":1}", "{\"b\":2}", "{\"c\":3}"});
}

TEST_CASE_FIXTURE(Bench, "one line that is too long is said once, and the next is heard")
{
    const std::string rest(longest_bus_line, 'x');
    say(rest);
    run_until([&] { return io.poll() == 0; });
    CHECK(long_lines == 0);
    say(rest + "\n{}\n");
    run_until([&] { return !lines.empty(); });
    CHECK(long_lines == 1);
    CHECK(lines == std::vector<std::string>{"{}"});
}

TEST_CASE_FIXTURE(Bench, "a turn that takes long is over, others have theirs, and it goes on")
{
    work = 2ms; // more than a turn has
    std::string text;
    for (int i = 0; i < 10; ++i)
        text += fmt::format("{}\n", i);
    say(text);
    std::size_t most = 0;
    int others = 0;
    while (lines.size() < 10) {
        const auto before = lines.size();
        asio::post(io, [&] { ++others; });
        REQUIRE(io.run_one_for(30s) == 1);
        most = std::max(most, lines.size() - before);
    }
    CHECK(most == 1);
    CHECK(others >= 5);
    for (int i = 0; i < 10; ++i)
        CHECK(lines[static_cast<std::size_t>(i)] == std::to_string(i));
}

TEST_CASE_FIXTURE(Bench, "who has too many answers to read is heard on when it has read them")
{
    std::string expected;
    while (!waiting.is_full_of_answers()) {
        const auto line = std::string(50'000, 'a') + "\n";
        waiting.add_answer(line);
        expected += line;
    }
    say("1\n2\n3\n");
    run_until([&] { return !lines.empty(); });
    io.poll();
    CHECK(lines.size() == 1);
    connection->write();
    CHECK(hear_all(expected) == expected);
    run_until([&] { return lines.size() == 3; });
}

TEST_CASE_FIXTURE(Bench, "a peer that does not read is waited for, and misses nothing")
{
    SendFaults::full = 0;
    std::string expected;
    for (int i = 0; i < 60; ++i) {
        const auto line = fmt::format("{:050000}\n", i);
        waiting.add_message(std::make_shared<const std::string>(line));
        expected += line;
    }
    connection->write();
    while (io.poll() > 0)
        connection->write(); // what else is new meanwhile makes no other attempt
    const auto first = hear();
    CHECK(first.size() < expected.size());
    CHECK(first + hear_all(expected.substr(first.size())) == expected);
    CHECK(SendFaults::full <= 2);
}

TEST_CASE_FIXTURE(Bench, "where the kernel has no memory it is tried again")
{
    waiting.add_answer("{}\n");
    SendFaults::no_memory = 2;
    connection->write();
    CHECK(hear().empty());
    CHECK(hear_all("{}\n") == "{}\n");
    CHECK(SendFaults::no_memory == 0);
}

TEST_CASE_FIXTURE(Bench, "closed while it waits for memory it writes nothing more")
{
    waiting.add_answer("{}\n");
    SendFaults::no_memory = 1;
    connection->write();
    connection->close();
    CHECK(io.run_for(30s) > 0); // until nothing waits any more
    CHECK(hear().empty());
}

TEST_CASE_FIXTURE(Bench, "the last words of one that closes are heard before its end, once")
{
    say("1\n2\n3");
    worker.reset();
    run_until([&] { return gone > 0; });
    CHECK(lines == std::vector<std::string>{"1", "2"}); // no line without its end
    CHECK(gone == 1);
    while (io.poll() > 0) {
    }
    CHECK(gone == 1);
}

TEST_CASE_FIXTURE(Bench, "the last words of a process that has ended are heard at once")
{
    work = 2ms;
    say("1\n2\n");
    run_until([&] { return lines.size() == 1; }); // the second one waits for its turn
    say("3\n");
    connection->read_rest();
    CHECK(lines == std::vector<std::string>{"1", "2", "3"});
    connection->close();
    while (io.poll() > 0) {
    }
    CHECK(lines.size() == 3);
    CHECK(gone == 0);
}

TEST_CASE_FIXTURE(Bench, "last words that take long do not hold up all others")
{
    std::string words;
    for (int i = 0; i < 100; ++i)
        words += "x\n";
    say(words);
    work = 10ms;
    connection->read_rest();
    CHECK(lines.size() < 10); // of what takes a second
}

TEST_SUITE_END();

} // namespace usher::bus_connection_test
