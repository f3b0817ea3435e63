// SPDX-License-Identifier: MIT
#include "common/sys/process/exit_status.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/preload_worker.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/shell.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace usher::preload_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

using Steps = std::vector<std::string>;

sys::SocketAddress any6(std::uint16_t port)
{
    constexpr std::array<std::uint8_t, 16> bytes{};
    return sys::SocketAddress::ipv6(bytes, port, 0);
}

/// A listener as the master has it, on a port that nobody else can have.
struct Fixture {
    TestListener front = listen_on(loopback(0));

    std::string port() const { return std::to_string(front.address.port()); }
    std::string bind() const { return "bind 127.0.0.1:" + port(); }

    /// A server on the pool's own port, then `steps`.
    std::unique_ptr<PreloadWorker> serve(const Steps& steps,
                                         std::chrono::milliseconds drain_timeout = 20ms) const
    {
        Steps all{"socket 4", bind(), "listen"};
        all.insert(all.end(), steps.begin(), steps.end());
        auto worker =
            std::make_unique<PreloadWorker>(std::vector{front.address}, all, drain_timeout);
        for (int i = 0; i < 3; ++i)
            REQUIRE(worker->result_of(all.at(static_cast<std::size_t>(i))) == "ok");
        return worker;
    }
};

std::string client_name(const sys::UniqueFd& client)
{
    return address_of(client.get()).to_string();
}

} // namespace

TEST_SUITE_BEGIN("preload");

TEST_CASE("the shim needs libc alone, and exports what it puts in front of it and no more")
{
    const auto library = preload_library();
    const auto needed = output_of("readelf -d " + library);
    CHECK(needed.find("libc.so.6") != std::string::npos);
    for (const char* const unwanted : {"libstdc++", "libgcc_s", "libasan", "libubsan", "libm.so"}) {
        CAPTURE(unwanted);
        CHECK(needed.find(unwanted) == std::string::npos);
    }
    const auto undefined = output_of("nm -D --undefined-only " + library);
    CHECK(undefined.find("recvmsg@GLIBC") != std::string::npos);
    CHECK(undefined.find("_ZSt") == std::string::npos);
    CHECK(undefined.find("__cxa_throw") == std::string::npos);
    CHECK(output_of("nm -D --defined-only " + library + " | sed 's/.* //' | sort | tr '\\n' ' '") ==
          "accept accept4 bind connect execvp getpeername getsockname getsockopt listen remove "
          "setsockopt unlink unlinkat ");
}

TEST_CASE("without its variables the shim does nothing")
{
    const auto front = listen_on(loopback(0));
    const auto taken = "bind 127.0.0.1:" + std::to_string(front.address.port());
    const auto text = output_of("LD_PRELOAD=" + preload_library() + " " + preload_probe_program() +
                                " 'socket 4' '" + taken +
                                "' 'bind 127.0.0.1:0' listen 'option type' 'option listen' "
                                "non-block accept");
    CHECK(text == "socket 4: ok\n" + taken +
                      ": EADDRINUSE\nbind 127.0.0.1:0: ok\nlisten: ok\noption type: 1\n"
                      "option listen: 1\nnon-block: ok\naccept: EAGAIN\n");
}

TEST_CASE_FIXTURE(Fixture, "a program is ready when it listens: hello with max_batch 1, then ready")
{
    PreloadWorker worker{{front.address}, {"wait", "socket 4", bind(), "listen", "listen"}};
    CHECK(eventually([&] { return (worker.page().preload & PreloadProgress::loaded) != 0; }));
    CHECK((worker.heard() ==
           std::vector<wire::ControlMessage>{wire::Hello{.protocol = 1, .max_batch = 1}}));
    worker.go();
    std::ignore = worker.wait();
    // Twice, as nginx does.
    CHECK((worker.heard() == std::vector<wire::ControlMessage>{wire::Ready{}}));
}

TEST_CASE_FIXTURE(Fixture, "a listening socket has the pool's address and is a TCP socket")
{
    auto worker =
        serve({"name", "option type", "option domain", "option listen", "option protocol",
               "listener-peer", "set nodelay", "set v6only", "set reuseport", "set keepalive"});
    CHECK(worker->result_of("name") == front.address.to_string());
    CHECK(worker->result_of("option type") == std::to_string(SOCK_STREAM));
    CHECK(worker->result_of("option domain") == std::to_string(AF_INET));
    CHECK(worker->result_of("option listen") == "1");
    CHECK(worker->result_of("option protocol") == std::to_string(IPPROTO_TCP));
    CHECK(worker->result_of("listener-peer") == "ENOTCONN");
    CHECK(worker->result_of("set nodelay") == "ok");
    CHECK(worker->result_of("set v6only") == "ENOPROTOOPT"); // as any socket of IPv4
    CHECK(worker->result_of("set reuseport") == "ok");
    CHECK(worker->result_of("set keepalive") == "ok");
}

TEST_CASE_FIXTURE(Fixture, "between bind and listen a socket has the address it asked for")
{
    PreloadWorker worker{{front.address}, {"socket 4", bind(), "name"}};
    CHECK(worker.result_of("socket 4") == "ok");
    CHECK(worker.result_of(bind()) == "ok");
    CHECK(worker.result_of("name") == "127.0.0.1:" + port());
}

TEST_CASE_FIXTURE(Fixture, "accept yields the client and its address, and counts it")
{
    auto worker = serve({"accept", "peer", "local"});
    const auto client = worker->connect(front);
    CHECK(worker->result_of("accept") == client_name(client) + " blocking");
    CHECK(worker->result_of("peer") == client_name(client));
    CHECK(worker->result_of("local") == front.address.to_string());
    CHECK(worker->page().accepted == 1);
}

TEST_CASE_FIXTURE(Fixture, "the flags of a connection are those that accept4 is asked for")
{
    auto worker = serve({"accept n", "accept c", "accept nc", "accept"});
    std::vector<sys::UniqueFd> clients;
    for (int i = 0; i < 4; ++i)
        clients.push_back(worker->connect(front));
    const auto flags = [&](const std::string& step) {
        const auto text = worker->result_of(step);
        return text.substr(text.find(' ') + 1);
    };
    CHECK(flags("accept n") == "non-blocking");
    CHECK(flags("accept c") == "blocking close-on-exec");
    CHECK(flags("accept nc") == "non-blocking close-on-exec");
    CHECK(flags("accept") == "blocking");
}

TEST_CASE_FIXTURE(Fixture, "the flags of a listening socket stay as the program has set them")
{
    PreloadWorker worker{{front.address},
                         {"socket 4", "non-block", "cloexec", bind(), "listen", "flags", "accept"}};
    for (const auto& step : Steps{"socket 4", "non-block", "cloexec", bind(), "listen"})
        REQUIRE(worker.result_of(step) == "ok");
    CHECK(worker.result_of("flags") == "non-blocking close-on-exec");
    CHECK(worker.result_of("accept") == "EAGAIN");

    auto blocking = serve({"flags", "non-block", "accept"});
    CHECK(blocking->result_of("flags") == "blocking");
    CHECK(blocking->result_of("non-block") == "ok");
    CHECK(blocking->result_of("accept") == "EAGAIN");
}

namespace {

/// An option that connections inherit from a listening socket, and what to set.
struct InheritedCase {
    std::string option; ///< level and number
    std::string set;
    std::string seen; ///< the kernel's answer then, if that is another
};

InheritedCase inherited_case(int level, int number, std::string set, std::string seen = {})
{
    if (seen.empty())
        seen = set;
    return {fmt::format("{} {}", level, number), std::move(set), std::move(seen)};
}

std::vector<InheritedCase> inherited_cases()
{
    return {
        inherited_case(SOL_SOCKET, SO_KEEPALIVE, "1"),
        inherited_case(SOL_SOCKET, SO_OOBINLINE, "1"),
        inherited_case(SOL_SOCKET, SO_LINGER, "1,7"),
        inherited_case(SOL_SOCKET, SO_RCVLOWAT, "5"),
        inherited_case(SOL_SOCKET, SO_SNDBUF, "30000", "60000"),
        inherited_case(SOL_SOCKET, SO_RCVBUF, "20000", "40000"),
        inherited_case(SOL_SOCKET, SO_SNDTIMEO, "9,0,0,0"),
        inherited_case(IPPROTO_TCP, TCP_NODELAY, "1"),
        inherited_case(IPPROTO_TCP, TCP_KEEPIDLE, "77"),
        inherited_case(IPPROTO_TCP, TCP_KEEPINTVL, "11"),
        inherited_case(IPPROTO_TCP, TCP_KEEPCNT, "3"),
        inherited_case(IPPROTO_TCP, TCP_USER_TIMEOUT, "12345"),
        inherited_case(IPPROTO_TCP, TCP_LINGER2, "13"),
        inherited_case(IPPROTO_TCP, TCP_NOTSENT_LOWAT, "4096"),
        inherited_case(IPPROTO_TCP, TCP_CONGESTION, "reno"),
        inherited_case(IPPROTO_IP, IP_TOS, "16"),
        inherited_case(IPPROTO_IP, IP_TTL, "33"),
        inherited_case(SOL_SOCKET, SO_PRIORITY, "3"), // IP_TOS changes it as well
    };
}

} // namespace

TEST_CASE_FIXTURE(Fixture, "a connection has the options that the program set on its listener")
{
    const auto cases = inherited_cases();
    Steps steps{"socket 4"};
    const auto add = [&](const std::string& verb) {
        for (const auto& one : cases)
            steps.push_back(verb + " " + one.option + (verb == "set-option" ? " " + one.set : ""));
    };
    SUBCASE("before it listens")
    {
        add("set-option");
        steps.insert(steps.end(), {bind(), "listen"});
    }
    SUBCASE("when it listens already")
    {
        steps.insert(steps.end(), {bind(), "listen"});
        add("set-option");
    }
    SUBCASE("and forks the process that accepts")
    {
        add("set-option");
        steps.insert(steps.end(), {bind(), "listen", "fork"});
    }
    SUBCASE("and executes the program that accepts")
    {
        add("set-option");
        steps.insert(steps.end(), {bind(), "listen", "exec", "name"});
    }
    add("get-option");
    steps.emplace_back("accept");
    add("connection-option");

    PreloadWorker worker{{front.address}, steps};
    sys::UniqueFd client;
    for (const auto& step : steps) {
        const auto is = [&](const char* verb) { return step.starts_with(verb); };
        if (is("fork") || is("exec"))
            continue;
        if (is("accept"))
            client = worker.connect(front);
        CAPTURE(step);
        const auto result = worker.result_of(step);
        if (!is("get-option") && !is("connection-option"))
            continue;
        const auto option = step.substr(step.find(' ') + 1);
        const auto expected =
            std::ranges::find(cases, option, [](const InheritedCase& one) { return one.option; });
        REQUIRE(expected != cases.end());
        CHECK(result == expected->seen);
    }
}

TEST_CASE_FIXTURE(Fixture, "what nobody has set on a listener stays as the kernel has it")
{
    auto worker = serve({"accept", "connection-option 6 1", "get-option 6 1"});
    const auto client = worker->connect(front);
    std::ignore = worker->result_of("accept");
    CHECK(worker->result_of("connection-option 6 1") == "0"); // TCP_NODELAY
    CHECK(worker->result_of("get-option 6 1") == "0");
}

TEST_CASE_FIXTURE(Fixture, "what is set on a listener that nobody can set is refused as elsewhere")
{
    auto worker = serve({"set-option 6 13 x", "set-option 6 9999 1"});
    CHECK(worker->result_of("set-option 6 13 x") == "ENOENT"); // TCP_CONGESTION
    CHECK(worker->result_of("set-option 6 9999 1") == "ENOPROTOOPT");
}

TEST_CASE_FIXTURE(Fixture, "poll, select and epoll wait for a connection")
{
    auto worker = serve({"epoll-add", "is-quiet poll", "is-quiet select", "is-quiet epoll", "wait",
                         "poll", "select", "epoll", "accept", "is-quiet poll", "is-quiet epoll"});
    CHECK(worker->result_of("epoll-add") == "ok");
    for (const std::string way : {"poll", "select", "epoll"})
        CHECK(worker->result_of("is-quiet " + way) == "silent");
    const auto client = worker->connect(front);
    worker->go();
    CHECK(worker->result_of("wait") == "ok");
    for (const std::string way : {"poll", "select", "epoll"})
        CHECK(worker->result_of(way) == "readable");
    CHECK(worker->result_of("accept").starts_with(client_name(client)));
    CHECK(worker->result_of("is-quiet poll") == "silent");
    CHECK(worker->result_of("is-quiet epoll") == "silent");
}

TEST_CASE_FIXTURE(Fixture, "a socket that joined an epoll before it listens is still in it")
{
    for (const std::string how : {"epoll-add", "epoll-add-edge"}) {
        PreloadWorker worker{{front.address},
                             {"socket 4", how, bind(), "listen", "is-quiet epoll", "epoll"}};
        for (const auto& step : Steps{"socket 4", how, bind(), "listen"})
            REQUIRE(worker.result_of(step) == "ok");
        CHECK(worker.result_of("is-quiet epoll") == "silent");
        const auto client = worker.connect(front);
        CHECK(worker.result_of("epoll") == "readable");
    }
}

TEST_CASE_FIXTURE(Fixture, "threads that wait in accept at once share the connections")
{
    constexpr int connections = 200;
    auto worker = serve({"threads " + std::to_string(connections)});
    for (int i = 0; i < connections; ++i) {
        const auto client = worker->connect(front);
        CHECK(read_text(client.get()) == "thread\n");
    }
    CHECK(worker->result_of("threads " + std::to_string(connections)) == "ok");
    CHECK(worker->page().accepted == connections);
}

TEST_CASE_FIXTURE(Fixture, "children that were forked after listen accept from the same queue")
{
    auto worker = serve({"fork", "accept", "accept"});
    const auto first = worker->connect(front);
    CHECK(worker->result_of("accept").starts_with(client_name(first)));
    const auto second = worker->connect(front);
    CHECK(worker->result_of("accept").starts_with(client_name(second)));
    CHECK(worker->page().accepted == 2);
    CHECK(worker->wait() == sys::ExitStatus{});
}

TEST_CASE_FIXTURE(Fixture, "a program that was handed the listening socket by exec accepts from it")
{
    auto worker = serve({"exec", "name", "accept", "peer"});
    CHECK(worker->result_of("name") == front.address.to_string());
    const auto client = worker->connect(front);
    CHECK(worker->result_of("accept").starts_with(client_name(client)));
    CHECK(worker->result_of("peer") == client_name(client));
}

TEST_CASE_FIXTURE(Fixture,
                  "a launcher that does not listen leaves the pool's socket to what it starts")
{
    PreloadWorker worker{{front.address},
                         {"exec", "socket 4", bind(), "listen", "echo-environment USHER_PROTOCOL"}};
    CHECK(worker.result_of("socket 4") == "ok");
    CHECK(worker.result_of(bind()) == "ok");
    CHECK(worker.result_of("listen") == "ok");
    CHECK(worker.result_of("echo-environment USHER_PROTOCOL") == "unset");
    const auto heard = worker.heard();
    REQUIRE(heard.size() == 2);
    CHECK(heard[0] == wire::ControlMessage{wire::Hello{.protocol = 1, .max_batch = 1}});
    CHECK(heard[1] == wire::ControlMessage{wire::Ready{}});
}

TEST_CASE_FIXTURE(Fixture, "a duplicate of the listening socket accepts as well")
{
    auto worker = serve({"dup", "accept", "name"});
    CHECK(worker->result_of("dup") == "ok");
    const auto client = worker->connect(front);
    CHECK(worker->result_of("accept").starts_with(client_name(client)));
    CHECK(worker->result_of("name") == front.address.to_string());
}

TEST_CASE_FIXTURE(Fixture, "where the pool has one listener the program may choose its port")
{
    const auto elsewhere = listen_on(loopback(0));
    const auto own = std::to_string(elsewhere.address.port());
    // The port is even taken, as it is for the second worker of a pool.
    const Steps steps{"socket 4",
                      "bind 127.0.0.1:" + own,
                      "listen",
                      "socket 6",
                      "bind [::1]:" + own,
                      "listen",
                      "name",
                      "accept",
                      "use 0",
                      "name"};
    PreloadWorker worker{{front.address}, steps};
    for (std::size_t i = 0; i < 6; ++i)
        CHECK(worker.result_of(steps[i]) == "ok");
    CHECK(worker.result_of("name") == "[::ffff:127.0.0.1]:" + port());

    // The same port of another family is the same place, and takes from the same queue.
    const auto client = worker.connect(front);
    CHECK(worker.result_of("accept") ==
          "127.0.0.1:" + std::to_string(address_of(client.get()).port()) + " blocking");
    CHECK(worker.result_of("use 0") == "ok");
    CHECK(worker.result_of("name") == front.address.to_string());
}

TEST_CASE_FIXTURE(Fixture, "other sockets of the program are left alone")
{
    const TempDir folder;
    const auto path = "bind unix:" + (folder.path() / "control").string();
    const auto taken = listen_on(loopback(0));
    const auto in_use = "bind 127.0.0.1:" + std::to_string(taken.address.port());
    const Steps steps{"socket unix",      path,     "listen",     "option protocol",
                      "socket 4",         bind(),   "listen",     "socket 4",
                      "bind 127.0.0.1:0", "listen", "non-block",  "accept",
                      "socket 4",         in_use,   "socket udp", in_use};
    PreloadWorker worker{{front.address}, steps};
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(worker.result_of(steps[i]) == "ok");
    CHECK(worker.result_of("option protocol") == "0");
    CHECK(worker.page().accepted == 0);
    for (std::size_t i = 4; i < 11; ++i)
        CHECK(worker.result_of(steps[i]) == "ok");
    CHECK(worker.result_of("accept") == "EAGAIN");
    CHECK(worker.result_of("socket 4") == "ok");
    CHECK(worker.result_of(in_use) == "EADDRINUSE");
}

TEST_CASE_FIXTURE(Fixture, "a listener on another port that came first is the program's own again")
{
    const auto free_port = [] { return listen_on(loopback(0)).address.port(); }();
    const Steps steps{"socket 4", "bind 127.0.0.1:" + std::to_string(free_port),
                      "listen",   "epoll-add",
                      "socket 4", bind(),
                      "listen",   "name",
                      "use 0",    "name",
                      "epoll",    "accept",
                      "use 1",    "accept"};
    PreloadWorker worker{{front.address}, steps};
    for (std::size_t i = 0; i < 7; ++i)
        CHECK(worker.result_of(steps[i]) == "ok");
    CHECK(worker.result_of("name") == front.address.to_string());
    CHECK(worker.result_of("use 0") == "ok");
    CHECK(worker.result_of("name") == "127.0.0.1:" + std::to_string(free_port));

    const auto direct = connect_to(loopback(free_port));
    CHECK(worker.result_of("epoll") == "readable");
    CHECK(worker.result_of("accept").starts_with(client_name(direct)));
    CHECK(worker.result_of("use 1") == "ok");
    const auto client = worker.connect(front);
    CHECK(worker.result_of("accept").starts_with(client_name(client)));
}

TEST_CASE_FIXTURE(Fixture,
                  "several listeners are told apart by their ports, each with its own queue")
{
    const auto second = listen_on(loopback(0));
    const auto second_bind = "bind 127.0.0.1:" + std::to_string(second.address.port());
    const Steps steps{"socket 4",  bind(),   "listen",        "wait",  "socket 4",
                      second_bind, "listen", "is-quiet poll", "name",  "use 0",
                      "poll",      "accept", "is-quiet poll", "use 1", "accept"};
    PreloadWorker worker{{front.address, second.address}, steps};
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(worker.result_of(steps[i]) == "ok");
    CHECK(worker.heard().size() == 1); // not ready before it listens on both
    const auto for_first = worker.connect(front, 0);
    worker.go();
    for (std::size_t i = 3; i < 7; ++i)
        CHECK(worker.result_of(steps[i]) == "ok");
    CHECK((worker.heard() == std::vector<wire::ControlMessage>{wire::Ready{}}));
    CHECK(worker.result_of("is-quiet poll") == "silent");
    CHECK(worker.result_of("name") == second.address.to_string());
    CHECK(worker.result_of("use 0") == "ok");
    CHECK(worker.result_of("poll") == "readable");
    CHECK(worker.result_of("accept").starts_with(client_name(for_first)));
    CHECK(worker.result_of("is-quiet poll") == "silent");
    CHECK(worker.result_of("use 1") == "ok");
    const auto for_second = worker.connect(second, 1);
    CHECK(worker.result_of("accept").starts_with(client_name(for_second)));
}

TEST_CASE("an IPv4 program behind a listener for both families sees IPv4 addresses")
{
    const auto front = listen_on(any6(0));
    const auto port = front.address.port();
    const auto bind = "bind 0.0.0.0:" + std::to_string(port);
    PreloadWorker worker{{front.address},
                         {"socket 4", bind, "listen", "name", "accept", "peer", "local"}};
    for (const auto& step : Steps{"socket 4", bind, "listen"})
        REQUIRE(worker.result_of(step) == "ok");
    CHECK(worker.result_of("name") == "0.0.0.0:" + std::to_string(port));
    const TestListener over_ipv4{.fd = sys::UniqueFd{::dup(front.fd.get())},
                                 .address = loopback(port)};
    const auto client = worker.connect(over_ipv4);
    CHECK(worker.result_of("accept") == client_name(client) + " blocking");
    CHECK(worker.result_of("peer") == client_name(client));
    CHECK(worker.result_of("local") == "127.0.0.1:" + std::to_string(port));
}

TEST_CASE_FIXTURE(Fixture, "behind PROXY protocol a connection has the addresses of its header")
{
    auto worker = serve({"accept", "peer", "local", "close-connection", "accept", "peer"});
    wire::HandoffRecord record;
    record.peer = {.family = wire::AddressFamily::ipv4, .port = 50'000, .bytes = {192, 0, 2, 7}};
    record.local = {.family = wire::AddressFamily::ipv4, .port = 443, .bytes = {192, 0, 2, 1}};
    const auto proxied = worker->connect(front, 0, record);
    CHECK(worker->result_of("accept") == "192.0.2.7:50000 blocking");
    CHECK(worker->result_of("peer") == "192.0.2.7:50000");
    CHECK(worker->result_of("local") == "192.0.2.1:443");

    // The next one gets the same number, and nothing of the old one.
    CHECK(worker->result_of("close-connection") == "ok");
    const auto plain = worker->connect(front);
    CHECK(worker->result_of("accept").starts_with(client_name(plain)));
    CHECK(worker->result_of("peer") == client_name(plain));
}

TEST_CASE_FIXTURE(Fixture, "a number that another socket has taken is that socket")
{
    auto worker = serve({"close", "socket 4", "name", "bind 127.0.0.1:0", "listen", "non-block",
                         "accept", "option listen"});
    CHECK(worker->result_of("close") == "ok");
    CHECK(worker->result_of("socket 4") == "ok"); // the lowest free number: the same
    CHECK(worker->result_of("name") == "0.0.0.0:0");
    for (const auto& step : Steps{"bind 127.0.0.1:0", "listen", "non-block"})
        CHECK(worker->result_of(step) == "ok");
    const auto client = worker->connect(front);
    CHECK(worker->result_of("accept") == "EAGAIN"); // it is not the pool's port
    CHECK(worker->result_of("option listen") == "1");
}

TEST_CASE_FIXTURE(Fixture, "a program that listens anew on the pool's port gets what waits")
{
    auto worker = serve({"close", "socket 4", bind(), "listen", "accept"});
    const auto client = worker->connect(front);
    for (const auto& step : Steps{"close", "socket 4", bind(), "listen"})
        CHECK(worker->result_of(step) == "ok");
    CHECK(worker->result_of("accept").starts_with(client_name(client)));
}

TEST_CASE_FIXTURE(Fixture, "with a full descriptor table the connection waits and is not lost")
{
    auto worker = serve({"fill-descriptors", "wait", "accept", "accept", "wait", "free-descriptors",
                         "accept", "peer"});
    CHECK(worker->result_of("fill-descriptors") == "ok");
    const auto client = worker->connect(front);
    worker->go();
    CHECK(worker->result_of("wait") == "ok");
    for (int i = 0; i < 2; ++i)
        CHECK(worker->result_of("accept") == "EMFILE");
    CHECK(worker->channel().figures().queued == 1);
    worker->go();
    CHECK(worker->result_of("wait") == "ok");
    CHECK(worker->result_of("free-descriptors") == "ok");
    CHECK(worker->result_of("accept").starts_with(client_name(client)));
    CHECK(worker->result_of("peer") == client_name(client));
}

TEST_CASE_FIXTURE(Fixture, "a low number that comes free does not hide a full descriptor table")
{
    auto worker = serve({"fill-descriptors 1", "wait", "accept", "accept", "wait",
                         "free-descriptors", "accept", "peer"});
    CHECK(worker->result_of("fill-descriptors 1") == "ok");
    const auto first = worker->connect(front);
    const auto second = worker->connect(front);
    worker->go();
    CHECK(worker->result_of("wait") == "ok");
    CHECK(worker->result_of("accept").starts_with(client_name(first)));
    CHECK(worker->result_of("accept") == "EMFILE");
    CHECK(worker->channel().figures().queued == 1);
    worker->go();
    CHECK(worker->result_of("wait") == "ok");
    CHECK(worker->result_of("free-descriptors") == "ok");
    CHECK(worker->result_of("accept").starts_with(client_name(second)));
    CHECK(worker->result_of("peer") == client_name(second));
}

TEST_CASE("behind a Unix listener the program may listen on a port, or on the same path")
{
    const TempDir folder;
    const auto address = sys::SocketAddress::unix_path((folder.path() / "front").string());
    const auto front = listen_on(address);
    const auto by_path = "bind " + address.to_string();
    for (const Steps& first :
         {Steps{"socket 4", "bind 127.0.0.1:9"}, Steps{"socket unix", by_path}}) {
        PreloadWorker worker{{address}, {first[0], first[1], "listen", "accept", "name"}};
        CHECK(worker.result_of(first[0]) == "ok");
        CHECK(worker.result_of(first[1]) == "ok");
        CHECK(worker.result_of("listen") == "ok");
        const auto client = worker.connect(front);
        CHECK(worker.result_of("accept") == "unix: blocking");
        CHECK(worker.result_of("name") == address.to_string());
    }
}

TEST_CASE("until a program listens nobody else seems to, at the pool's Unix socket")
{
    const TempDir folder;
    const auto address = sys::SocketAddress::unix_path((folder.path() / "front").string());
    const auto front = listen_on(address);
    const auto connect = "connect " + address.to_string();
    PreloadWorker worker{
        {address},
        {"socket unix", connect, "bind " + address.to_string(), "listen", "socket unix", connect}};
    CHECK(worker.result_of("socket unix") == "ok");
    CHECK(worker.result_of(connect) == "ECONNREFUSED");
    CHECK(worker.result_of("bind " + address.to_string()) == "ok");
    CHECK(worker.result_of("listen") == "ok");
    CHECK(worker.result_of("socket unix") == "ok");
    CHECK(worker.result_of(connect) == "ok");
}

TEST_CASE_FIXTURE(Fixture, "what a dead program had not accepted can be read back")
{
    auto worker = serve({"accept", "wait"});
    const auto first = worker->connect(front);
    std::ignore = worker->result_of("accept");
    const auto second = worker->connect(front);
    const auto third = worker->connect(front);
    CHECK(worker->channel().figures().queued == 2);
    CHECK_FALSE(worker->channel().figures().open); // it cannot know
}

TEST_CASE_FIXTURE(Fixture,
                  "without its master a program that waits in accept is ended, and not before")
{
    auto worker = serve({"accept"});
    worker->die();
    CHECK(worker->wait() == sys::ExitStatus{.by_signal = true, .code = SIGTERM});
}

TEST_CASE_FIXTURE(Fixture, "without its master a listening socket falls silent, in every epoll")
{
    auto worker = serve({"epoll-add", "non-block", "wait", "epoll", "accept", "is-quiet epoll",
                         "is-quiet poll", "accept", "name"},
                        1h);
    for (const auto& step : Steps{"epoll-add", "non-block"})
        CHECK(worker->result_of(step) == "ok");
    worker->die();
    worker->go();
    CHECK(worker->result_of("wait") == "ok");
    CHECK(worker->result_of("epoll") == "readable");
    CHECK(worker->result_of("accept") == "EAGAIN");
    CHECK(worker->result_of("is-quiet epoll") == "silent");
    CHECK(worker->result_of("is-quiet poll") == "silent");
    CHECK(worker->result_of("accept") == "EAGAIN");
    CHECK(worker->result_of("name") == front.address.to_string());
}

TEST_CASE_FIXTURE(Fixture, "it falls silent also when no descriptor is left, or one")
{
    for (const std::string fill : {"fill-descriptors", "fill-descriptors 1"}) {
        CAPTURE(fill);
        auto worker = serve({"epoll-add", "non-block", fill, "wait", "epoll", "accept",
                             "is-quiet epoll", "is-quiet poll", "name"},
                            1h);
        for (const auto& step : Steps{"epoll-add", "non-block", fill})
            CHECK(worker->result_of(step) == "ok");
        worker->die();
        worker->go();
        CHECK(worker->result_of("wait") == "ok");
        CHECK(worker->result_of("epoll") == "readable");
        CHECK(worker->result_of("accept") == "EAGAIN");
        CHECK(worker->result_of("is-quiet epoll") == "silent");
        CHECK(worker->result_of("is-quiet poll") == "silent");
        CHECK(worker->result_of("name") == front.address.to_string());
    }
}

TEST_CASE_FIXTURE(Fixture, "without its master and without a descriptor a program is ended as well")
{
    auto worker = serve({"fill-descriptors", "wait", "accept", "pause"});
    CHECK(worker->result_of("fill-descriptors") == "ok");
    worker->die();
    worker->go();
    CHECK(worker->wait() == sys::ExitStatus{.by_signal = true, .code = SIGTERM});
}

TEST_CASE_FIXTURE(Fixture,
                  "a listening socket can be shut down, also the one that stands in for it")
{
    auto worker = serve({"non-block", "shutdown", "accept", "shutdown", "accept"}, 1h);
    CHECK(worker->result_of("non-block") == "ok");
    for (int i = 0; i < 2; ++i) {
        CHECK(worker->result_of("shutdown") == "ok");
        CHECK(worker->result_of("accept") == "EAGAIN");
    }
}

TEST_CASE_FIXTURE(Fixture, "threads that listen at once get each the queue of its own port")
{
    const auto second = listen_on(loopback(0));
    const auto second_bind = "bind 127.0.0.1:" + std::to_string(second.address.port());
    const Steps steps{"socket 4",  bind(),   "listen",         "socket 4",
                      second_bind, "listen", "close-from 200", "listen-in-threads 300"};
    PreloadWorker worker{{front.address, second.address}, steps};
    for (const auto& step : steps)
        CHECK(worker.result_of(step) == "ok");
}

TEST_CASE("a program that never listens fails at its start_timeout, and the failure says why")
{
    const OnePool pool{{{"dialect", "preload"},
                        {"command", {preload_probe_program(), "pause"}},
                        {"start_timeout", "300ms"},
                        {"start_attempts", 1}}};
    UsherProcess usher{pool.run()};
    CHECK(usher.wait().code == 1);
    CHECK(usher.count("not ready after 300ms, because it has not listened on any port; ") == 1);
    CHECK(usher.count("before it was ready: it has not listened on any port") > 0);
}

TEST_CASE("a program that lost its environment on the way has not listened either")
{
    const OnePool pool{
        {{"dialect", "preload"},
         {"command", {"/bin/sh", "-c", "exec env -i $0 pause", preload_probe_program()}},
         {"start_timeout", "300ms"},
         {"start_attempts", 1}}};
    UsherProcess usher{pool.run()};
    CHECK(usher.wait().code == 1);
    CHECK(usher.count("because it has not listened on any port") > 0);
}

TEST_CASE("a program that nothing can be preloaded into is refused by name")
{
    const OnePool pool{
        {{"dialect", "preload"}, {"command", {"/sbin/ldconfig"}}, {"start_attempts", 1}}};
    UsherProcess usher{pool.run()};
    CHECK(usher.wait().code == 1);
    CHECK(usher.count("cannot be started: /sbin/ldconfig is statically linked") > 0);
}

TEST_CASE("a program that has listened on one of two ports is told which one is missing")
{
    const auto first = listen_on(loopback(0)).address.port();
    const auto second = listen_on(loopback(0)).address.port();
    const TempDir folder;
    const auto place = [](std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); };
    const auto config =
        folder.write("usher.json", nlohmann::json{{"pools",
                                                   {{{"dialect", "preload"},
                                                     {"command",
                                                      {preload_probe_program(), "socket 4",
                                                       "bind " + place(first), "listen", "pause"}},
                                                     {"workers", 1},
                                                     {"listen", {place(first), place(second)}},
                                                     {"start_timeout", "300ms"},
                                                     {"start_attempts", 1}}}}}
                                       .dump());
    UsherProcess usher{{"run", "--config", config.string()}};
    CHECK(usher.wait().code == 1);
    CHECK(usher.count("it has not listened on port " + std::to_string(second) + ";") > 0);
}

TEST_CASE("a program that has gone with its master's death is nobody's burden")
{
    const OnePool pool{
        {{"dialect", "preload"},
         {"command", {preload_probe_program(), "socket 4", "bind 127.0.0.1:9", "listen", "accept"}},
         {"drain_timeout", "10ms"}}};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(1);
    const auto worker = usher.worker_pid(1);
    REQUIRE(state_of(worker) != 0);
    usher.signal(SIGKILL);
    std::ignore = usher.wait();
    CHECK(eventually([&] { return state_of(worker) == 0 || state_of(worker) == 'Z'; }));
}

TEST_CASE("the listeners of a preload pool stay as they are while usher runs")
{
    OnePool pool{{{"dialect", "preload"},
                  {"command",
                   {preload_probe_program(), "socket 4", "bind 127.0.0.1:9", "listen", "pause"}}}};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(1);
    auto config = nlohmann::json::parse(std::ifstream{pool.file});
    config["pools"][0]["listen"] = {"127.0.0.1:0", "127.0.0.1:0"};
    std::ofstream{pool.file} << config.dump();
    const auto result = usher.command({"reload"});
    CHECK(result.code == 3);
    CHECK(result.output.find("cannot change while usher runs, because its dialect is preload") !=
          std::string::npos);
    CHECK(usher.command({"status"}).output.find("unknown") != std::string::npos);
}

TEST_CASE("a program that shuts its listening socket down leaves: what waits for it goes to others")
{
    // In slot 1 it shuts down once a second connection waits, and answers the first afterwards.
    constexpr auto program = R"(
import os, select, socket
def answer(client):
    client.recv(4096)
    client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Slot: %s\r\n\r\nok'
                   % os.environb[b'USHER_SLOT'])
    client.close()
listener = socket.socket()
listener.bind(('127.0.0.1', 8000))
listener.listen()
if os.environ['USHER_SLOT'] == '1':
    first, _ = listener.accept()
    select.select([listener], [], [])
    listener.shutdown(socket.SHUT_RDWR)
    answer(first)
    select.select([], [], [])
while True:
    answer(listener.accept()[0])
)";
    const OnePool pool{{{"command", {python_program(), "-c", program}},
                        {"dialect", "preload"},
                        {"workers", 2},
                        {"listen", "127.0.0.1:0"},
                        {"restart", {{"first_delay", "10ms"}}}}};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(2);
    const auto worker = std::to_string(usher.worker_pid(1));

    HttpClient first{usher.port()};
    CHECK(get(usher.port(), "/").slot() == 2);
    CHECK(get(usher.port(), "/").slot() == 2); // was in slot 1's queue
    usher.wait_for("worker 1 (pid " + worker + "): has shut its listening socket down");
    first.send_get("/");
    CHECK(first.read_answer().slot() == 1);

    usher.wait_for("worker 1 (pid " + worker + "): killed by SIGTERM");
    CHECK(usher.count("retired") == 0);
    usher.wait_until_ready(3);
    CHECK(usher.stop() == sys::ExitStatus{});
}

TEST_SUITE_END();

} // namespace usher::preload_test
