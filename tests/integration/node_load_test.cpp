// SPDX-License-Identifier: MIT
// Every version of Node with many clients.
#include "tests/support/bombard.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/node_site.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace usher::node_load_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

/// Clients that ask again and again, and remember from which port they had no answer.
class Askers {
public:
    Askers(std::uint16_t port, unsigned count) : port_{port}
    {
        for (unsigned i = 0; i < count; ++i)
            threads_.emplace_back([this] { run(); });
    }

    /// Waits until so many more are answered.
    void wait_for(std::uint64_t count) const
    {
        const auto goal = answered_ + count;
        REQUIRE(eventually([&] { return answered_ >= goal; }, socket_patience));
    }

    /// The ports of those who were not answered.
    std::vector<std::uint16_t> stop()
    {
        stopping_ = true;
        threads_.clear();
        return failed_;
    }

private:
    void run()
    {
        while (!stopping_) {
            std::this_thread::sleep_for(1ms); // others want the processor as well
            HttpClient client{port_};
            const auto own_port = address_of(client.fd()).port();
            try {
                client.send_get("/");
                std::ignore = client.read_answer();
                ++answered_;
            } catch (const std::exception&) {
                const std::scoped_lock lock{mutex_};
                failed_.push_back(own_port);
            }
        }
    }

    std::uint16_t port_;
    std::atomic<bool> stopping_{false};
    std::atomic<std::uint64_t> answered_{0};
    std::mutex mutex_;
    std::vector<std::uint16_t> failed_;
    std::vector<std::jthread> threads_;
};

} // namespace

TEST_SUITE_BEGIN("node_load");

TEST_CASE("many connections, all at a time, and none fails")
{
    constexpr int count = with_sanitizers ? 400 : 2'000;
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 4, {"http"});
        site.usher.wait_until_ready(4);
        bombard(site.usher.port(), count, count);
    }
}

TEST_CASE("thousands of connections leave nothing behind, neither in usher nor in its workers")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 1, {"http"});
        site.usher.wait_until_ready(1);
        const auto worker = site.usher.worker_pid(1);
        const auto handles = [&] { return get(site.usher.port(), "/handles").body; };
        const auto descriptors = [](pid_t pid) { return descriptors_of(pid).size(); };

        bombard(site.usher.port(), 100, 20); // what it makes once, it has now
        std::string handles_before;
        REQUIRE(eventually([&] { return handles() == std::exchange(handles_before, handles()); }));
        const auto in_usher = descriptors(site.usher.pid());
        const auto in_worker = descriptors(worker);

        bombard(site.usher.port(), with_sanitizers ? 1'000 : 10'000, 50);
        CHECK(eventually([&] { return handles() == handles_before; }));
        CHECK(eventually([&] { return descriptors(site.usher.pid()) <= in_usher; }));
        CHECK(eventually([&] { return descriptors(worker) <= in_worker; }));
    }
}

TEST_CASE("kill -9 of a worker under load loses what it had taken, and nothing else")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 4, {"tell", "http"});
        site.usher.wait_until_ready(4);
        HttpClient held{site.usher.port()};
        held.send_get("/never");
        const auto its_port = std::to_string(address_of(held.fd()).port());
        const auto line = site.usher.wait_for(" takes " + its_port);

        Askers askers{site.usher.port(), 8};
        askers.wait_for(100);
        pid_t victim = 0;
        for (unsigned slot = 1; slot <= 4; ++slot)
            if (const auto pid = site.usher.worker_pid(slot);
                line.find(std::to_string(pid) + " takes") != std::string::npos)
                victim = pid;
        REQUIRE(victim > 0);
        ::kill(victim, SIGKILL);
        CHECK_THROWS(std::ignore = held.read_answer());
        askers.wait_for(200);
        // When its end is told, so is all that it had written.
        site.usher.wait_for("(pid " + std::to_string(victim) + "): killed by SIGKILL");
        for (const auto port : askers.stop()) {
            CAPTURE(port);
            CHECK(site.usher.count(std::to_string(victim) + " takes " + std::to_string(port)) > 0);
        }
    }
}

TEST_CASE("a reload under load costs no client its answer")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 2, {"http"});
        site.usher.wait_until_ready(2);
        Load load{site.usher.port(), 4};
        load.wait_for(100);
        CHECK(site.usher.command({"reload"}).code == 0);
        load.wait_for(100);
        load.stop();
        CHECK(load.first_problem() == "");
        site.usher.wait_for_count("exited with code 0", 2);
        CHECK(site.usher.count("listening on") == 1);
    }
}

TEST_CASE("a worker that drains answers what it has, and so do those who wait in the backlog")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 2, {"http"});
        site.usher.wait_until_ready(2);
        std::vector<HttpClient> clients;
        for (int i = 0; i < 20; ++i) {
            clients.emplace_back(site.usher.port());
            clients.back().send_get("/slow");
        }
        site.usher.signal(SIGTERM);
        for (auto& client : clients)
            CHECK(client.read_answer().ok());
        CHECK(site.usher.wait() == usher::sys::ExitStatus{});
        site.usher.wait_for_count("exited with code 0", 2);
    }
}

TEST_SUITE_END();

} // namespace usher::node_load_test
