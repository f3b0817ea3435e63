// SPDX-License-Identifier: MIT
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/socket_address.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/start_gate.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::timeouts_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

/// A master that stands still, for a scope.
class Suspended {
public:
    explicit Suspended(const UsherProcess& usher) : usher_{usher}
    {
        usher_.signal(SIGSTOP);
        REQUIRE(eventually([&] { return state_of(usher_.pid()) == 'T'; }));
    }
    Suspended(const Suspended&) = delete;
    Suspended& operator=(const Suspended&) = delete;
    ~Suspended() { usher_.signal(SIGCONT); }

private:
    const UsherProcess& usher_;
};

/// Connects until the backlog is full.
std::vector<usher::sys::UniqueFd> fill_backlog(const std::string& path)
{
    const auto address = usher::sys::SocketAddress::unix_path(path);
    std::vector<usher::sys::UniqueFd> clients;
    for (;;) {
        usher::sys::UniqueFd client{
            ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
        REQUIRE(client);
        if (::connect(client.get(), address.data(), address.size()) < 0)
            return clients;
        clients.push_back(std::move(client));
    }
}

} // namespace

TEST_SUITE_BEGIN("timeouts");

TEST_CASE("a result that comes too late is exit code 6, and the master goes on with it")
{
    OnePool pool{{{"workers", 1}}};
    StartGate gate;
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(1);
    pool.write({{"command", gate.command()}});

    const auto start = Clock::now();
    const auto result = usher.command({"reload", "--timeout", "300ms"});
    CHECK(result.code == 6);
    CHECK(Clock::now() - start >= 300ms);
    CHECK(result.output.find("usher: no result from the master at " + usher.control_path() +
                             " within 300ms; it goes on with what it was asked") !=
          std::string::npos);
    CHECK(usher.count("reload done") == 0);
    gate.let_start(1);
    usher.wait_for("reload done");

    CHECK(usher.command({"restart", "1", "--timeout", "200ms"}).code == 6);
    CHECK(usher.command({"scale", "2", "--timeout", "200ms"}).code == 6);
    gate.let_start(2);
    usher.wait_for("scaled from 1 to 2 workers");
    gate.let_start(2);
    CHECK(usher.command({"reload", "--timeout", "1m"}).code == 0);
}

TEST_CASE("drain and stop wait for connections, but no longer than they are told")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    HttpClient slow{port};
    slow.send_get("/slow?ms=60000"); // slot 1's
    CHECK(get(port, "/").slot() == 2);

    CHECK(usher.command({"drain", "1", "--timeout", "200ms"}).code == 6);
    CHECK(usher.command({"stop", "--timeout", "200ms"}).code == 6);
    CHECK(state_of(usher.pid()) != 'Z');
    CHECK(usher.command({"stop", "--now", "--timeout", "30s"}).code == 0);
    CHECK(usher.wait() == usher::sys::ExitStatus{});
}

TEST_CASE("a master that stands still is exit code 6, whatever was asked, and does it later")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    {
        const Suspended suspended{usher};
        const std::vector<std::vector<std::string>> commands{
            {"status"}, {"restart", "1"}, {"drain", "1"}, {"scale", "3"}, {"reload"}};
        for (auto command : commands) {
            CAPTURE(command.front());
            command.insert(command.end(), {"--timeout", "100ms"});
            const auto result = usher.command(command);
            CHECK(result.code == 6);
            CHECK((result.output.find("it goes on with") == std::string::npos) ==
                  (command.front() == "status"));
        }
    }
    usher.wait_for("scaled from 1 to 3 workers");
    usher.wait_for("reload done");

    {
        const Suspended suspended{usher};
        CHECK(usher.command({"stop", "--timeout", "100ms"}).code == 6);
    }
    CHECK(usher.wait() == usher::sys::ExitStatus{});
}

TEST_CASE("where not even the connection comes about, nothing was asked")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    {
        const Suspended suspended{usher};
        const auto clients = fill_backlog(usher.control_path());
        const auto result = usher.command({"stop", "--timeout", "200ms"});
        CHECK(result.code == 6);
        CHECK(result.output.find("took no request within 200ms; nothing was asked of it") !=
              std::string::npos);
    }
    CHECK(eventually([&] { return usher.command({"status", "--timeout", "30s"}).code == 0; }));
    CHECK(usher.count("stopping") == 0);
}

TEST_SUITE_END();

} // namespace usher::timeouts_test
