// SPDX-License-Identifier: MIT
#include "balancer/bus/bus.hpp"

#include "balancer/bus/bus_limits.hpp"
#include "balancer/bus/bus_port.hpp"
#include "tests/support/file_faults.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>

namespace usher::bus_test {

using namespace usher::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

/// One worker's port, and its process's end of it.
struct Worker {
    BusPort port;
    sys::UniqueFd end;

    Worker(std::shared_ptr<Bus> bus, unsigned slot)
        : port{std::move(bus),
               {.pool = "web", .slot = slot, .worker = slot, .generation = 1},
               {},
               InboundSocket::Senders::ours},
          end{::fcntl(port.worker_end(), F_DUPFD_CLOEXEC, 0)}
    {
        port.start();
    }

    void say(std::string_view text) const
    {
        REQUIRE(::send(end.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(text.size()));
    }

    /// What it finds now.
    [[nodiscard]] std::string hear() const
    {
        std::array<char, 65'536> buffer;
        const auto got = ::recv(end.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
    }
};

struct Bench {
    asio::io_context io{1};
    std::shared_ptr<StoreKeeper> keeper =
        std::make_shared<StoreKeeper>(io.get_executor(), StoreConfig{});
    std::shared_ptr<Bus> bus = std::make_shared<Bus>(io.get_executor(), "web", keeper);

    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;
    Bench()
    {
        keeper->watch([weak = std::weak_ptr{bus}](log::Level, const std::string&) {
            if (const auto there = weak.lock()) {
                there->router().on_stored();
                there->settle_soon();
            }
        });
    }
    ~Bench()
    {
        keeper->close();
        io.restart();
        io.poll();
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

    /// What `worker` hears until that has `part` in it.
    std::string hear(const Worker& worker, std::string_view part)
    {
        std::string text;
        run_until([&] {
            text += worker.hear();
            return text.find(part) != std::string::npos;
        });
        return text;
    }
};

} // namespace

TEST_SUITE_BEGIN("bus");

TEST_CASE_FIXTURE(Bench, "what one says another hears, and what is settled soon is so once")
{
    const Worker a{bus, 1};
    const Worker b{bus, 2};
    b.say("{\"type\":\"subscribe\",\"id\":1,\"pattern\":\"x\"}\n");
    hear(b, "\"ok\"");
    a.say("{\"type\":\"publish\",\"topic\":\"x\",\"data\":[1]}\n");
    CHECK(hear(b, "\n") ==
          "{\"type\":\"message\",\"topic\":\"x\",\"from\":\"web/1\",\"data\":[1]}\n");
    while (io.poll() > 0) {
    }
    for (int i = 0; i < 100; ++i)
        bus->settle_soon();
    CHECK(io.poll() == 1);
}

TEST_CASE_FIXTURE(Bench, "garbage is for its sender to bear, and nobody else")
{
    const Worker good{bus, 1};
    good.say("{\"type\":\"subscribe\",\"id\":1,\"pattern\":\"x\"}\n");
    hear(good, "\"ok\"");
    {
        const Worker bad{bus, 2};
        std::string noise;
        for (int i = 0; i < 256; ++i)
            noise += static_cast<char>(i);
        bad.say(noise + "\n{}\n[]\n{\"type\":7}\n");
        hear(bad, "\"bad-line\"");
        bad.say(std::string(longest_bus_line, 'x'));
        bad.say("xx\n");
        hear(bad, "\"too-long\"");
        // It is heard on, and what it had not said to its end goes with it.
        bad.say("{\"type\":\"publish\",\"topic\":\"x\",\"data\":1}\n{\"type\":\"publish\"");
        CHECK(hear(good, "\n").ends_with("\"from\":\"web/2\",\"data\":1}\n"));
    }
    const Worker other{bus, 3};
    other.say("{\"type\":\"publish\",\"topic\":\"x\",\"data\":2}\n");
    CHECK(hear(good, "\n") ==
          "{\"type\":\"message\",\"topic\":\"x\",\"from\":\"web/3\",\"data\":2}\n");
}

TEST_CASE_FIXTURE(Bench, "who has not answered in time is missing")
{
    const Worker asker{bus, 1};
    const Worker mute{bus, 2};
    mute.say("{\"type\":\"subscribe\",\"id\":1,\"pattern\":\"x\"}\n");
    hear(mute, "\"ok\"");
    asker.say("{\"type\":\"request\",\"id\":1,\"topic\":\"x\",\"timeout_ms\":10,\"data\":1}\n");
    CHECK(hear(asker, "\n") ==
          "{\"type\":\"done\",\"id\":1,\"replies\":0,\"missing\":[\"web/2\"]}\n");
    CHECK_FALSE(bus->router().next_deadline().has_value());
}

TEST_CASE_FIXTURE(Bench, "a worker's last words are carried out when its process has ended")
{
    const Worker good{bus, 1};
    good.say("{\"type\":\"subscribe\",\"id\":1,\"pattern\":\"x\"}\n");
    hear(good, "\"ok\"");
    Worker last{bus, 2};
    last.say("{\"type\":\"publish\",\"topic\":\"x\",\"data\":1}\n");
    last.port.on_ended();
    CHECK(hear(good, "\n").ends_with("\"from\":\"web/2\",\"data\":1}\n"));
}

TEST_CASE_FIXTURE(Bench, "the answer of a file that hung finds its router, whoever has gone")
{
    const TempDir dir;
    keeper->adopt(std::make_shared<StoreFile>(dir.path().string() + "/store"));
    std::promise<void> hangs;
    std::promise<void> goes_on;
    FileFaults::before_sync = [&] {
        hangs.set_value();
        goes_on.get_future().wait();
    };
    {
        const Worker worker{bus, 1};
        worker.say("{\"type\":\"put\",\"id\":1,\"key\":\"k\",\"value\":1}\n");
        auto hanging = hangs.get_future();
        run_until([&] { return hanging.wait_for(0s) == std::future_status::ready; });
        // Another one waits behind it.
        worker.say("{\"type\":\"put\",\"id\":2,\"key\":\"l\",\"value\":1}\n"
                   "{\"type\":\"get\",\"id\":3,\"key\":\"k\"}\n");
        CHECK(hear(worker, "\n") == "{\"type\":\"ok\",\"id\":3,\"revision\":0}\n");
    }
    while (io.poll() > 0) {
    }
    const std::weak_ptr<Bus> left = bus;
    bus.reset();
    CHECK_FALSE(left.expired()); // those who wait have it
    goes_on.set_value();
    run_until([&] { return keeper->store().find("l") != nullptr; });
    run_until([&] {
        io.poll();
        return left.expired();
    });
}

TEST_SUITE_END();

} // namespace usher::bus_test
