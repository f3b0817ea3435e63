// SPDX-License-Identifier: MIT
#include "common/sys/process/pidfd.hpp"
#include "tests/support/chatter.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace usher::stuck_stderr_test {

using namespace usher::test;
using nlohmann::json;

namespace {

/// What standard error is, with an end that nobody reads.
struct Ends {
    sys::UniqueFd ours;
    sys::UniqueFd standard_error;
};

Ends make_pipe()
{
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    return {.ours = sys::UniqueFd{ends[0]}, .standard_error = sys::UniqueFd{ends[1]}};
}

Ends make_socket()
{
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    return {.ours = sys::UniqueFd{ends[0]}, .standard_error = sys::UniqueFd{ends[1]}};
}

Ends make_terminal()
{
    sys::UniqueFd ours{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    REQUIRE(ours);
    REQUIRE(::grantpt(ours.get()) == 0);
    REQUIRE(::unlockpt(ours.get()) == 0);
    sys::UniqueFd theirs{::open(::ptsname(ours.get()), O_RDWR | O_NOCTTY | O_CLOEXEC)};
    REQUIRE(theirs);
    return {.ours = std::move(ours), .standard_error = std::move(theirs)};
}

/// A master whose workers write more than anybody reads.
class Stuck {
public:
    explicit Stuck(Ends ends, const json& changes = json::object(), long most_lines = 1'000'000)
        : ends_{std::move(ends)}
    {
        auto pool = chatter_.pool(2, 500, "stderr", most_lines);
        pool["listen"] = "unix:" + socket();
        pool["drain_timeout"] = "300ms";
        pool["stop_grace"] = "300ms";
        pool.update(changes);
        std::ignore = folder_.write("usher.json", json{{"pools", {pool}}}.dump());
        usher_.emplace(std::vector<std::string>{"run", "--config", folder_.path() / "usher.json"},
                       [this] { ::dup2(ends_.standard_error.get(), STDERR_FILENO); });
        REQUIRE(eventually([&] { return chatter_.total() > 0; }, 30s));
    }

    [[nodiscard]] std::string socket() const { return folder_.path() / "socket"; }
    [[nodiscard]] Chatter& chatter() { return chatter_; }
    [[nodiscard]] UsherProcess& usher() { return *usher_; }
    [[nodiscard]] const sys::UniqueFd& reader() const { return ends_.ours; }

    void close_reader() { ends_.ours.reset(); }

    /// So that the reader sees the end of all others.
    void close_standard_error() { ends_.standard_error.reset(); }

    [[nodiscard]] json status() const
    {
        return json::parse(usher_->command({"status", "--json"}).output);
    }

    void wait_until_workers_stand_still()
    {
        long before = -1;
        REQUIRE(eventually(
            [&] {
                std::this_thread::sleep_for(300ms);
                return std::exchange(before, chatter_.total()) == chatter_.total();
            },
            60s));
    }

    /// True if it ends by itself, without anybody having read a line.
    [[nodiscard]] bool ends_within(std::chrono::milliseconds limit) const
    {
        const auto pidfd = sys::open_pidfd(usher_->pid());
        pollfd entry{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
        return ::poll(&entry, 1, static_cast<int>(limit.count())) == 1;
    }

private:
    Ends ends_;
    Chatter chatter_;
    TempDir folder_;
    std::optional<UsherProcess> usher_;
};

const std::pair<const char*, Ends (*)()> kinds[] = {
    {"pipe", make_pipe}, {"socket", make_socket}, {"terminal", make_terminal}};

} // namespace

TEST_SUITE_BEGIN("stuck_stderr");

TEST_CASE("nobody reads standard error: workers that write wait, the master works, and it ends")
{
    for (const auto& kind : kinds) {
        const auto& name = kind.first;
        const auto& make = kind.second;
        CAPTURE(name);
        Stuck stuck{make()};
        stuck.wait_until_workers_stand_still();
        CHECK(stuck.chatter().total() < 1'000'000);
        CHECK(stuck.status().at("stderr_lost_lines") == 0);

        stuck.usher().signal(SIGTERM);
        REQUIRE(stuck.ends_within(20s));
        CHECK(stuck.usher().wait() == sys::ExitStatus{});
    }
}

TEST_CASE("nobody reads standard error: a second signal ends what a first one would wait for")
{
    Stuck stuck{make_pipe(), {{"drain_timeout", "10m"}, {"stop_grace", "10m"}}};
    stuck.wait_until_workers_stand_still();
    stuck.usher().signal(SIGTERM);
    CHECK_FALSE(stuck.ends_within(500ms));
    stuck.usher().signal(SIGTERM);
    CHECK(stuck.ends_within(30s));
    CHECK(stuck.usher().wait() == sys::ExitStatus{});
}

TEST_CASE("whoever reads standard error is gone, as a log service that restarts: nobody minds")
{
    for (const auto& kind : kinds) {
        const auto& name = kind.first;
        const auto& make = kind.second;
        CAPTURE(name);
        Stuck stuck{make(), json::object(), 50'000};
        stuck.wait_until_workers_stand_still();
        stuck.close_reader();
        CHECK(eventually([&] { return stuck.chatter().total() == 100'000; }));
        CHECK(stuck.usher().command({"reload"}).code == 0);
        CHECK(stuck.usher().command({"restart", "all"}).code == 0);
        CHECK(stuck.status().at("pools").at(0).at("workers").at(0).at("state") == "ready");
        stuck.usher().signal(SIGTERM);
        REQUIRE(stuck.ends_within(30s));
        CHECK(stuck.usher().wait() == sys::ExitStatus{});
    }
}

TEST_CASE("with on_full \"drop\" workers go on while nobody reads standard error")
{
    Stuck stuck{make_pipe(), {{"output", {{"on_full", "drop"}}}}, 100'000};
    REQUIRE(eventually([&] { return stuck.chatter().total() == 200'000; }, 60s));
    CHECK(eventually([&] { return stuck.status().at("stderr_lost_lines") > 0; }));
    stuck.usher().signal(SIGTERM);
    REQUIRE(stuck.ends_within(20s));
    CHECK(stuck.usher().wait() == sys::ExitStatus{});
}

TEST_CASE("what was dropped and what arrived is all there was, and the log says so")
{
    Stuck stuck{make_pipe(), {{"output", {{"on_full", "drop"}}}, {"workers", 1}}, 100'000};
    REQUIRE(eventually([&] { return stuck.chatter().total() == 100'000; }, 60s));
    std::string text;
    std::thread reading{[&] {
        std::string some(1 << 16, '\0');
        for (ssize_t size; (size = ::read(stuck.reader().get(), some.data(), some.size())) > 0;)
            text.append(some, 0, static_cast<std::size_t>(size));
    }};
    stuck.close_standard_error();
    stuck.usher().signal(SIGTERM);
    CHECK(stuck.usher().wait() == sys::ExitStatus{});
    reading.join();

    long arrived = 0;
    for (std::size_t at = 0; (at = text.find("[default/1] ", at)) != std::string::npos; ++at)
        ++arrived;
    const auto at = text.rfind(" in all: it takes them too slowly");
    REQUIRE(at != std::string::npos);
    CHECK(arrived + std::stol(text.substr(text.rfind(' ', at - 1))) == 100'000);
    CHECK(text.ends_with(": stopped\n"));
}

TEST_CASE("a log that nobody reads stops nobody, and is all there when somebody does")
{
    UsherProcess usher{run_demo(1), [] { ::fcntl(STDERR_FILENO, F_SETPIPE_SZ, 2 * 4096); }};
    usher.wait_until_ready(1);
    const auto port = usher.port();
    for (int i = 0; i < 20; ++i) // which fill it twice over
        CHECK(usher.command({"restart", "1"}).code == 0);
    CHECK(get(port, "/").ok());
    CHECK(usher.stop() == sys::ExitStatus{});
    CHECK(usher.count(": ready after") == 21);
    CHECK(usher.count("lost") == 0);
}

TEST_SUITE_END();

} // namespace usher::stuck_stderr_test
