// SPDX-License-Identifier: MIT
// Dialect auto: what a program shows decides how it gets its connections, and where.
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/node_site.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <array>
#include <csignal>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include <sys/socket.h>

namespace usher::auto_test {

using namespace usher::test;
using nlohmann::json;

namespace {

/// A server that knows nothing of usher: argument 1 is where it listens; further arguments are
/// places where it listens as well, and accepts only if they are of the same port.
constexpr auto server = R"(
import os, select, socket, sys
def listen(place):
    host, port = place.rsplit(':', 1)
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    s = socket.socket(family)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, int(port)))
    believed = s.getsockname()[1]
    s.listen()
    print('bound to', believed, 'listens on', s.getsockname()[1], flush=True)
    return s
all = [listen(place) for place in sys.argv[1:]]
sockets = [s for s in all if s.getsockname()[1] == all[0].getsockname()[1]]
while True:
    client, _ = select.select(sockets, [], [])[0][0].accept()
    client.recv(4096)
    client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Slot: %s\r\n\r\nok'
                   % os.environb[b'USHER_SLOT'])
    client.close()
)";

/// A native worker: argument 1 says what it does first.
constexpr auto native = R"(
import socket, sys, usher
if sys.argv[1] == 'listen-first':
    early = socket.create_server(('127.0.0.1', 0))
worker = usher.Worker(sys.argv[2] if len(sys.argv) > 2 else '127.0.0.1:8000')
if sys.argv[1] == 'metrics':
    metrics = socket.create_server(('127.0.0.1', 0))
    print('metrics on', metrics.getsockname()[1], flush=True)
worker.ready()
for connection in worker:
    connection.socket.recv(4096)
    connection.socket.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Slot: %d\r\n\r\nok'
                              % (worker.identity.slot if worker.identity else 0))
    connection.close()
)";

/// A port that was free a moment ago.
std::uint16_t free_port()
{
    return listen_on(loopback(0)).address.port();
}

sys::SocketAddress loopback6(std::uint16_t port)
{
    std::array<std::uint8_t, 16> bytes{};
    bytes.back() = 1;
    return sys::SocketAddress::ipv6(bytes, port, 0);
}

std::string at(std::uint16_t port)
{
    return "127.0.0.1:" + std::to_string(port);
}

std::vector<std::string> run(std::vector<std::string> flags,
                             const std::vector<std::string>& command)
{
    flags.insert(flags.begin(), {"run", "--workers", "2"});
    flags.emplace_back("--");
    flags.insert(flags.end(), command.begin(), command.end());
    return flags;
}

json pool_of(const UsherProcess& usher)
{
    return json::parse(usher.command({"status", "--json"}).output).at("pools").at(0);
}

/// Whether `count` connections go to two workers in turn.
bool takes_turns(std::uint16_t port, int count = 20)
{
    int last = get(port, "/").slot();
    for (int i = 0; i < count; ++i) {
        const int slot = get(port, "/").slot();
        if (slot + last != 3)
            return false;
        last = slot;
    }
    return true;
}

} // namespace

TEST_SUITE_BEGIN("auto");

TEST_CASE("whoever says hello is native, and the shim is inert")
{
    UsherProcess usher{run({"--listen", "127.0.0.1:0"}, {hello_program()})};
    usher.wait_until_ready(2);
    CHECK(usher.count("dialect native: the program speaks the worker protocol") == 1);
    CHECK(takes_turns(usher.port()));
    CHECK(pool_of(usher).at("dialect") == "native");
    HttpClient client{usher.port()};
    client.send_get("/", false);
    std::ignore = client.read_answer();
    const auto open = [&] { // what a native worker alone can tell
        const auto workers = pool_of(usher).at("workers");
        return workers.at(0).at("open").get<int>() + workers.at(1).at("open").get<int>();
    };
    CHECK(eventually([&] { return open() == 1; }));

    ::kill(usher.worker_pid(1), SIGKILL);
    usher.wait_until_ready(3);
    CHECK(usher.count("dialect native") == 1); // it is known
    client.close();
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("without an address usher listens where a native program would")
{
    const auto port = free_port();
    UsherProcess usher{run({}, {python_program(), "-c", native, "plain", at(port)})};
    usher.wait_until_ready(2);
    CHECK(usher.port() == port);
    CHECK(takes_turns(port));
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("a native program that does not say where it would listen is told so")
{
    UsherProcess usher{run({}, {python_program(), "-c", native, "plain", "unix:/nowhere"})};
    CHECK(usher.wait().code == 1);
    CHECK(usher.count("speaks the worker protocol, and nobody says where to listen; add --listen") >
          0);
}

TEST_CASE("what a native worker listens on besides is its own")
{
    UsherProcess usher{
        run({"--listen", "127.0.0.1:0"}, {python_program(), "-c", native, "metrics"})};
    usher.wait_until_ready(2);
    const auto line = usher.wait_for("metrics on ");
    const auto port = static_cast<std::uint16_t>(std::stoi(line.substr(line.rfind(' '))));
    CHECK(port != usher.port());
    CHECK(connect_to(loopback(port)));
    CHECK(takes_turns(usher.port()));
}

TEST_CASE("a native program that has listened before it said so is told to name its dialect")
{
    UsherProcess usher{
        run({"--listen", "127.0.0.1:0"}, {python_program(), "-c", native, "listen-first"})};
    usher.wait_for("retired, because it speaks the worker protocol, but has listened itself "
                   "before; name its dialect: native");
}

TEST_CASE("whoever listens is served by the shim, on the pool's port")
{
    const auto own = free_port();
    UsherProcess usher{run({"--listen", "127.0.0.1:0"}, {python_program(), "-c", server, at(own)})};
    usher.wait_until_ready(2);
    CHECK(usher.count("dialect preload: the program listens on " + at(own)) == 1);
    CHECK(usher.port() != own);
    CHECK(takes_turns(usher.port()));
    CHECK(pool_of(usher).at("dialect") == "preload");
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("without an address usher listens where the program would, and goes on to")
{
    const auto port = free_port();
    UsherProcess usher{run({}, {python_program(), "-c", server, at(port)})};
    usher.wait_until_ready(2);
    CHECK(usher.count("listening on " + at(port)) == 1);
    CHECK(takes_turns(port));

    CHECK(usher.command({"reload"}).code == 0);
    CHECK(takes_turns(port));
    ::kill(usher.worker_pid(1), SIGKILL);
    ::kill(usher.worker_pid(2), SIGKILL);
    CHECK(get(port, "/").ok()); // whoever comes meanwhile waits
    usher.wait_until_ready(6);
    CHECK(takes_turns(port));
    CHECK(usher.count("listening on") == 1);
    CHECK(usher.count("dialect preload") == 1);
    CHECK(pool_of(usher).at("listening") == json{at(port)});
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("a port that the kernel chooses is one for all workers")
{
    UsherProcess usher{run({}, {python_program(), "-c", server, "127.0.0.1:0"})};
    usher.wait_until_ready(2);
    const auto port = std::to_string(usher.port());
    usher.wait_for_count("listens on " + port, 2);
    CHECK(takes_turns(usher.port()));
}

TEST_CASE("an address that another process has is refused to the program, which says so")
{
    const auto taken = listen_on(loopback(0));
    const auto port = taken.address.port();
    UsherProcess usher{run({}, {python_program(), "-c", server, at(port)})};
    CHECK(usher.wait().code == 1);
    CHECK(usher.count("Address already in use") > 0);
    CHECK(usher.count("would listen on " + at(port) + ", where another process listens") > 0);
}

TEST_CASE("another address of the same port is the pool's as well, another port the program's own")
{
    const auto port = free_port();
    const auto other = free_port();
    UsherProcess usher{{"run", "--workers", "1", "--", python_program(), "-c", server, at(port),
                        "::1:" + std::to_string(port), at(other)}};
    usher.wait_until_ready(1);
    CHECK(usher.count("listening on " + at(port)) == 1);
    usher.wait_for("listening on [::1]:" + std::to_string(port));
    CHECK(usher.count("listening on") == 2);
    for (const auto& address : {loopback(port), loopback6(port)}) {
        HttpClient client{address};
        client.send_get("/");
        CHECK(client.read_answer().ok());
    }
    CHECK(connect_to(loopback(other))); // in its own backlog, where nobody accepts
    CHECK(pool_of(usher).at("handed_off") == 2);
}

TEST_CASE("a program that binds and has another listen is told so, and nobody listens elsewhere")
{
    const auto port = free_port();
    constexpr auto program = R"py(
import os, socket, subprocess, sys
s = socket.socket()
s.bind(('127.0.0.1', int(sys.argv[1])))
os.set_inheritable(s.fileno(), True)
listener = "import socket, sys, time; s = socket.socket(fileno=int(sys.argv[1])); s.listen(); " \
           "print('child listens on', s.getsockname(), flush=True); time.sleep(1000)"
subprocess.run([sys.executable, '-c', listener, str(s.fileno())], close_fds=False, pass_fds=[s.fileno()])
)py";
    UsherProcess usher{
        {"run", "--workers", "1", "--", python_program(), "-c", program, std::to_string(port)}};
    usher.wait_for("child listens on ('127.0.0.1', " + std::to_string(port));
}

TEST_CASE(
    "a program that removes its Unix socket first, and at its end, does not remove the pool's")
{
    const TempDir folder;
    const auto path = folder.path().string() + "/socket";
    constexpr auto program = R"(
import os, signal, socket, sys
path = sys.argv[1]
if os.path.exists(path):
    os.unlink(path)
s = socket.socket(socket.AF_UNIX)
s.bind(path)
s.listen()
def end(*_):
    os.remove(path)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
while True:
    client, _ = s.accept()
    client.recv(4096)
    client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    client.close()
)";
    UsherProcess usher{run({"--listen", "unix:" + path}, {python_program(), "-c", program, path})};
    usher.wait_until_ready(2);
    const auto answers = [&] {
        HttpClient client{path};
        client.send_get("/");
        return client.read_answer().ok();
    };
    CHECK(answers());
    CHECK(usher.command({"restart", "all"}).code == 0);
    CHECK(answers());
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("a server behind a program that keeps our environment from it is named")
{
    const auto port = free_port();
    UsherProcess usher{{"run", "--workers", "1", "--", "sh", "-c",
                        "env -i " + python_program() + " -m http.server --bind 127.0.0.1 " +
                            std::to_string(port) + "; true"}};
    usher.wait_for("listens on port " + std::to_string(port) + " without usher");
}

TEST_CASE("many processes of a worker that ask at a time all get their answers")
{
    const auto port = free_port();
    constexpr auto program = R"(
import os, socket, sys, time
gate, open_gate = os.pipe()
done, tell = os.pipe()
for i in range(100):
    if os.fork() == 0:
        os.close(open_gate)
        os.read(gate, 1)
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(('127.0.0.1', int(sys.argv[1])))
        s.listen()
        os.write(tell, b'x')
        time.sleep(1000)
os.close(open_gate)
for i in range(100):
    os.read(done, 1)
print('all listen', flush=True)
time.sleep(1000)
)";
    UsherProcess usher{
        {"run", "--workers", "1", "--", python_program(), "-c", program, std::to_string(port)}};
    usher.wait_for("all listen");
}

TEST_CASE("a pool that serves keeps what it has when a reload turns out to be Node's primary")
{
    constexpr auto cluster = R"(
        const cluster = require('cluster'), http = require('http');
        if (cluster.isPrimary) cluster.fork();
        else http.createServer((request, response) => response.end('new')).listen(+process.argv[2]);
    )";
    const auto port = free_port();
    OnePool pool{{{"command", {python_program(), "-c", server, at(port)}}, {"workers", 2}}};
    const auto file = pool.folder.write("server.js", cluster).string();
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(2);
    CHECK(get(usher.port(), "/").ok());
    pool.write({{"command", {"node", file, std::to_string(port)}}, {"workers", 2}});
    CHECK(usher.command({"reload"}).code != 0);
    usher.wait_for("forks workers of Node's cluster; for usher to deal to them, name its dialect");
    CHECK(takes_turns(usher.port()));
    CHECK(usher.count("dialect node") == 0);
    CHECK(pool_of(usher).at("dialect") == "preload");
}

TEST_CASE("a dialect that is named is not second-guessed")
{
    const auto own = free_port();
    SUBCASE("native")
    {
        const OnePool pool{{{"dialect", "native"},
                            {"command", {python_program(), "-c", server, at(own)}},
                            {"start_timeout", "1s"},
                            {"start_attempts", 1}}};
        UsherProcess usher{pool.run()};
        CHECK(usher.wait().code == 1);
        CHECK(usher.count("dialect") == 0);
    }
    SUBCASE("preload")
    {
        UsherProcess usher{run({"--listen", "127.0.0.1:0", "--dialect", "preload"},
                               {python_program(), "-c", native, "plain", at(own)})};
        usher.wait_until_ready(2);
        CHECK(get(usher.port(), "/").ok()); // it listens by itself, as far as it knows
        CHECK(usher.count("dialect") == 0);
        CHECK(pool_of(usher).at("dialect") == "preload");
    }
}

TEST_CASE("a program that nothing is heard of is told so, with the remedy")
{
    const auto text = "has neither listened nor said `hello` in 2 s: ";
    SUBCASE("statically linked, behind a shell")
    {
        UsherProcess usher{
            run({"--listen", "127.0.0.1:0"}, {"sh", "-c", "exec " + static_sleeper_program()})};
        usher.wait_for(text + static_sleeper_program() + " is statically linked");
        CHECK(usher.stop() == usher::sys::ExitStatus{});
    }
    SUBCASE("of Go, linked dynamically")
    {
        UsherProcess usher{run({"--listen", "127.0.0.1:0"},
                               {"caddy", "respond", "--listen", "127.0.0.1:0", "Hello!"})};
        usher.wait_for(text);
        CHECK(usher.count("/caddy is a Go program, which makes its system calls itself") > 0);
    }
    SUBCASE("without our environment")
    {
        UsherProcess usher{
            run({"--listen", "127.0.0.1:0"}, {"env", "-i", static_sleeper_program()})};
        usher.wait_for(text);
    }
}

TEST_CASE("the primary of Node's cluster is started anew with usher in its place")
{
    constexpr auto program = R"(
        const cluster = require('cluster'), http = require('http');
        if (cluster.isPrimary) { for (let i = 0; i < 3; i++) cluster.fork(); }
        else http.createServer((request, response) => {
            response.writeHead(200, {'X-Slot': process.env.USHER_SLOT, 'Content-Length': 2});
            response.end('ok');
        }).listen(+process.argv[2], '127.0.0.1');
    )";
    const TempDir folder;
    const auto file = folder.write("server.js", program).string();
    const auto own = free_port();
    const std::vector<std::string> command{"node", file, std::to_string(own)};
    const auto check = [](UsherProcess& usher, std::uint16_t port) {
        usher.wait_until_ready(2);
        CHECK(usher.count("dialect node: the program forks workers of Node's cluster") == 1);
        CHECK(takes_turns(port));
        CHECK(pool_of(usher).at("dialect") == "node");
        CHECK(usher.count("listening on") == 1);

        ::kill(usher.worker_pid(1), SIGKILL);
        usher.wait_until_ready(3);
        CHECK(usher.command({"reload"}).code == 0);
        CHECK(takes_turns(port));
        CHECK(usher.count("dialect node") == 1);
        CHECK(usher.count("listening on") == 1);
        CHECK(usher.stop() == usher::sys::ExitStatus{});
    };
    SUBCASE("where it listens itself")
    {
        UsherProcess usher{run({}, command)};
        check(usher, own);
    }
    SUBCASE("on the pool's address, with whoever waits there already")
    {
        UsherProcess usher{run({"--listen", "127.0.0.1:0"}, command)};
        HttpClient early{usher.port()};
        early.send_get("/");
        CHECK(early.read_answer().ok());
        check(usher, usher.port());
    }
    SUBCASE("on the pool's address of the same port")
    {
        UsherProcess usher{run({"--listen", std::to_string(own)}, command)};
        check(usher, own);
    }
}

TEST_CASE("a Node program's socket is the pool's by its port, else the first")
{
    const auto port = free_port();
    const auto other = free_port();
    const TempDir folder;
    const auto site = [&folder](std::uint16_t listen, const std::string& source) {
        const auto file = folder.write("server.js", R"(
            const serve = (port, host, next) => require('http').createServer((_, response) => {
                response.writeHead(200, {'X-Slot': process.env.USHER_SLOT, 'Content-Length': 2});
                response.end('ok');
            }).listen(port, host, next).on('error', error => console.log(error.code, port));
        )" + source);
        return NodeSite::of_program({"node", file.string()}, 2, {},
                                    {{"listen", "127.0.0.1:" + std::to_string(listen)}});
    };
    SUBCASE("all interfaces of the pool's port are the pool's address")
    {
        auto node = site(port, fmt::format("serve({});", port));
        node.usher.wait_until_ready(2);
        CHECK(node.usher.count("listening on " + at(port)) == 1);
        CHECK(takes_turns(port));
    }
    SUBCASE("another port is the pool's if it is the first, and else refused")
    {
        auto node = site(port, fmt::format("serve({}, undefined, () => serve({}));", other, 1));
        node.usher.wait_until_ready(2);
        CHECK(takes_turns(port));
        node.usher.wait_for_count("EACCES 1", 2);
    }
    SUBCASE("the pool's port comes late, and has the pool's address all the same")
    {
        auto node = site(port, fmt::format("serve({}, undefined, () => serve({}));", other, port));
        node.usher.wait_for("after all");
        CHECK(eventually([&] { return takes_turns(port, 4); }));
    }
}

TEST_SUITE_END();

} // namespace usher::auto_test
