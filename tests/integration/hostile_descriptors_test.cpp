// SPDX-License-Identifier: MIT
// Descriptors, messages and terminals in hostile hands.
#include "tests/hostile/neighbourhood.hpp"

#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/fd_message.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <list>
#include <span>
#include <string>
#include <tuple>

#include <cstdlib>
#include <fcntl.h>
#include <sys/socket.h>

namespace usher::hostile_descriptors_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

/// Sends a connection on, of which nobody else has a copy; its last close waits for an hour, for
/// the peer, which is returned, reads nothing.
sys::UniqueFd send_lingering(int socket)
{
    const auto listener = listen_on(loopback(0));
    auto peer = connect_to(listener.address);
    wait_readable(listener.fd.get());
    const sys::UniqueFd connection{
        ::accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    const std::string much(65'536, 'x');
    while (::send(connection.get(), much.data(), much.size(), 0) > 0) {
    }
    const struct linger for_an_hour {
        .l_onoff = 1, .l_linger = 3600
    };
    REQUIRE(::setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &for_an_hour,
                         sizeof for_an_hour) == 0);
    const int fd = connection.get();
    REQUIRE_FALSE(sys::send_with_fds(socket, bytes("x"), std::span{&fd, 1}));
    return peer;
}

} // namespace

TEST_SUITE_BEGIN("hostile_descriptors");

TEST_CASE("a stranger's descriptors, whose close would wait, do not stop the master")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    here.pool["dialect"] = "preload";
    here.pool["ready"] = "notify";
    here.workers_do("wait-inside");
    here.start();
    here.wait_for("inside");
    SUBCASE("sockets that linger")
    {
        here.stranger_does("lingering-sockets-to-inboxes");
    }
    SUBCASE("files of a file system that does not answer")
    {
        here.stranger_does("slow-files-to-inboxes");
    }
    here.wait_for("sent");
    here.check_innocent(2s);
}

namespace {

/// Workers that send their masters what has a close wait.
class Senders {
public:
    /// A worker sends its master `what`, to where the mode of `worker.py` says; nobody notices.
    void check(const std::string& what, const std::string& where, bool is_kernel_older);

    /// All masters end.
    void check_ends()
    {
        for (auto& scene : ending_)
            scene.check_end();
    }

private:
    // A worker that no signal ends is waited for, and that long the next scene need not wait.
    std::list<Neighbourhood> ending_;
};

void Senders::check(const std::string& what, const std::string& where, bool is_kernel_older)
{
    CAPTURE(what);
    CAPTURE(where);
    CAPTURE(is_kernel_older);
    auto& here = ending_.emplace_back();
    if (where == "channel")
        here.pool["dialect"] = "node";
    if (where == "inbox") {
        here.pool["dialect"] = "preload";
        here.pool["ready"] = "notify";
    }
    if (where == "probe")
        here.pool["probe"] = {{"path", "/"}};
    const bool becomes_ready = where == "inbox" || where == "control";
    here.pool["start_timeout"] = becomes_ready ? "5s" : "2s"; // which a reload waits for
    here.pool["drain_timeout"] = "1s";
    here.pool["stop_grace"] = "1s"; // it is stuck in a close
    here.workers_do(what + "-to-" + where);
    here.start([&] {
        if (is_kernel_older)
            Neighbourhood::have_older_kernel();
    });
    here.wait_for("sent");
    here.check_innocent(1s);
    here.check_life();
}

} // namespace

TEST_CASE("a worker's sockets that linger stop nobody: neither a start nor the end")
{
    if (!Neighbourhood::is_possible())
        return;
    Senders senders;
    for (const char* const where : {"inbox", "channel"}) // which take what they close
        senders.check("lingering-sockets", where, false);
    for (const bool is_kernel_older : {false, true})
        for (const char* const where : {"control", "probe"})
            senders.check("lingering-sockets", where, is_kernel_older);
    senders.check_ends();
}

TEST_CASE("a worker's files of a file system that does not answer stop nobody either")
{
    if (!Neighbourhood::is_possible())
        return;
    Senders senders;
    senders.check("slow-files", "inbox", false);
    senders.check("slow-file", "channel", false);
    for (const bool is_kernel_older : {false, true})
        for (const char* const where : {"control", "probe"})
            senders.check("slow-file", where, is_kernel_older);
    senders.check_ends();
}

TEST_CASE("a worker cannot open the terminal that its master was started in")
{
    if (!Neighbourhood::is_possible())
        return;
    const sys::UniqueFd ours{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    REQUIRE(ours);
    REQUIRE(::grantpt(ours.get()) == 0);
    REQUIRE(::unlockpt(ours.get()) == 0);
    const std::string theirs = ::ptsname(ours.get());
    Neighbourhood here;
    here.workers_do("use-terminal");
    here.start([&] {
        ::setsid();
        ::open(theirs.c_str(), O_RDWR | O_CLOEXEC); // which makes it this session's
    });
    here.wait_for("has no terminal");
}

TEST_CASE("a connection that a dead worker left, and whose close waits, does not stop the master")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    SUBCASE("and that it sees")
    {
        here.workers_do("linger-on-peeked");
    }
    SUBCASE("and that is hidden from it")
    {
        here.workers_do("linger-on-peeked", {"hides"});
    }
    const auto port = here.start().port(1);
    const auto silent = connect_to(loopback(port)); // it reads nothing
    CHECK(eventually([&] { return here.said() == "died\ndied\n"; }));
    here.check_innocent(3s);
}

TEST_CASE(
    "a connection that a Node worker has accepted, and whose close waits, stops nobody either")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    here.pool["dialect"] = "node";
    here.pool.erase("listen"); // its workers say where
    here.pool["drain_timeout"] = "100ms";
    here.workers_do("linger-on-accepted");
    const auto pool = here.pool;
    bool changes = false;
    SUBCASE("from the start") {}
    SUBCASE("after a reload that has changed its user")
    {
        changes = true;
        for (const char* const key : {"user", "group", "groups"})
            here.pool.erase(key);
    }
    auto& usher = here.start();
    usher.wait_for_count("listening on", 2);
    if (changes) {
        here.pool = pool;
        here.write();
        usher.signal(SIGHUP);
        usher.wait_for("reload done");
    }
    const auto silent = connect_to(loopback(usher.port(1))); // it reads nothing
    here.wait_for("accepted");
    here.check_innocent(3s);
}

TEST_CASE("what clients of a Unix socket send, and whose close waits, does not stop the master")
{
    const TempDir folder;
    const auto path = (folder.path() / "socket").string();
    const nlohmann::json config{{"pools",
                                 {{{"command", {demo_program()}},
                                   {"workers", 1},
                                   {"drain_timeout", "100ms"},
                                   {"stop_grace", "100ms"},
                                   {"listen", {{"address", "unix:" + path}, {"mode", "0666"}}}}}}};
    UsherProcess usher{{"run", "--config", folder.write("usher.json", config.dump()).string()}};
    usher.wait_until_ready(1);
    ::kill(usher.worker_pid(1), SIGSTOP); // so that it never takes it

    const auto client = connect_to(sys::SocketAddress::unix_path(path));
    const auto peer = send_lingering(client.get());

    usher.signal(SIGTERM);
    CHECK(usher.wait(20s) == sys::ExitStatus{});
    CHECK(usher.count("closed 1 connection, because no worker was left") == 1);
}

TEST_CASE("nor does what they send to one of which the workers have a copy")
{
    const TempDir folder;
    const auto path = (folder.path() / "socket").string();
    const nlohmann::json config{{"pools",
                                 {{{"command", {"/bin/sleep", "60"}}, // it accepts nobody
                                   {"dialect", "listen-fds"},
                                   {"workers", 1},
                                   {"listen", {{"address", "unix:" + path}, {"mode", "0666"}}}}}}};
    UsherProcess usher{{"run", "--config", folder.write("usher.json", config.dump()).string()}};
    usher.wait_until_ready(1);

    const auto client = connect_to(sys::SocketAddress::unix_path(path));
    const auto peer = send_lingering(client.get());

    usher.signal(SIGTERM);
    CHECK(usher.wait(20s) == sys::ExitStatus{});
}

TEST_CASE("nor does it where it waits at a listener that a reload has opened in vain")
{
    const TempDir folder;
    const auto path = (folder.path() / "socket").string();
    nlohmann::json pool{{"command", {demo_program()}},
                        {"workers", 1},
                        {"start_timeout", "3s"},
                        {"listen", {"127.0.0.1:0"}}};
    const auto write = [&] {
        return folder.write("usher.json", nlohmann::json{{"pools", {pool}}}.dump()).string();
    };
    UsherProcess usher{{"run", "--config", write()}};
    usher.wait_until_ready(1);

    pool["command"] = {"/bin/sleep", "60"}; // it never becomes ready
    pool["listen"].push_back({{"address", "unix:" + path}, {"mode", "0666"}});
    std::ignore = write();
    usher.signal(SIGHUP);
    usher.wait_for_count(": started", 2);
    const auto client = connect_to(sys::SocketAddress::unix_path(path));
    const auto peer = send_lingering(client.get());
    usher.wait_for("reload failed");
    CHECK(usher.command({"status", "--timeout", "20s"}).code == 0);
}

TEST_SUITE_END();

} // namespace usher::hostile_descriptors_test
