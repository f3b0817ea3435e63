// SPDX-License-Identifier: MIT
// Dialect auto, where a program's sockets are not as simple as one that listens once.
#include "tests/support/build.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace usher::auto_sockets_test {

using namespace usher::test;

namespace {

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

/// Who answers there, in the words of the header X-Slot; throws if nobody does.
std::string ask(const sys::SocketAddress& address)
{
    HttpClient client{address};
    client.send_get("/");
    const auto answer = client.read_answer();
    return answer.ok() ? answer.header("X-Slot") : "none";
}

std::vector<std::string> run_python(const std::vector<std::string>& flags, const char* program,
                                    std::uint16_t port)
{
    std::vector<std::string> all{"run"};
    all.insert(all.end(), flags.begin(), flags.end());
    all.insert(all.end(), {"--", python_program(), "-c", program, std::to_string(port)});
    return all;
}

} // namespace

TEST_SUITE_BEGIN("auto_sockets");

TEST_CASE("nginx with a socket for each family on one port serves clients of both")
{
    const TempDir folder;
    const auto port = free_port();
    const auto file = folder.write("nginx.conf", fmt::format(R"(
        daemon off;
        master_process off;
        pid {0}/nginx.pid;
        error_log stderr error;
        events {{ worker_connections 64; }}
        http {{
            access_log off;
            client_body_temp_path {0}/body;
            proxy_temp_path {0}/proxy;
            fastcgi_temp_path {0}/fastcgi;
            uwsgi_temp_path {0}/uwsgi;
            scgi_temp_path {0}/scgi;
            server {{
                listen {1};
                listen [::]:{1};
                location / {{ add_header X-Slot $remote_addr; return 200 "ok"; }}
            }}
        }}
    )",
                                                             folder.path().string(), port));
    std::vector<std::string> arguments{"run", "--workers", "1"};
    SUBCASE("on the pool's one socket for both families")
    {
        arguments.insert(arguments.end(), {"--listen", "[::]:" + std::to_string(port)});
    }
    SUBCASE("where it listens itself") {}
    arguments.insert(arguments.end(), {"--", "/usr/sbin/nginx", "-e", "stderr", "-p", folder.path(),
                                       "-c", file.string()});
    UsherProcess usher{arguments};
    usher.wait_until_ready(1);
    for (int i = 0; i < 10; ++i) {
        const auto v4 = ask(loopback(port));
        CHECK(v4.ends_with("127.0.0.1"));
        CHECK(ask(loopback6(port)) == "::1");
    }
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("a program that executes itself with its listening socket goes on being served")
{
    // As gunicorn, nginx and others do when they are upgraded: the new program finds the socket by
    // a number in its environment, and listens on it without binding it.
    constexpr auto program = R"(
import os, signal, socket, sys
number = os.environ.get('LISTENER')
if number:
    s = socket.socket(fileno=int(number))
else:
    s = socket.socket()
    s.bind(('127.0.0.1', int(sys.argv[1])))
s.listen()
def again(*_):
    os.set_inheritable(s.fileno(), True)
    os.environ['LISTENER'] = str(s.fileno())
    os.execv(sys.executable, sys.orig_argv)
signal.signal(signal.SIGUSR1, again)
print('listens, pid', os.getpid(), 'for the second time' if number else '', flush=True)
while True:
    client, _ = s.accept()
    client.recv(4096)
    client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Slot: %s\r\n\r\nok'
                   % (b'new' if number else b'old'))
    client.close()
)";
    const auto port = free_port();
    std::vector<std::string> flags{"--workers", "1"};
    SUBCASE("where the program listens") {}
    SUBCASE("where the pool listens")
    {
        flags.insert(flags.end(), {"--listen", "127.0.0.1:0"});
    }
    UsherProcess usher{run_python(flags, program, port)};
    usher.wait_until_ready(1);
    CHECK(ask(loopback(usher.port())) == "old");
    ::kill(usher.worker_pid(1), SIGUSR1);
    usher.wait_for("for the second time");
    for (int i = 0; i < 10; ++i)
        CHECK(ask(loopback(usher.port())) == "new");
    CHECK(usher.count("listening on") == 1);
    CHECK(usher.count("worker 1 (pid") >= 1);
    CHECK(children_of(usher.pid()).size() == 1);
}

TEST_CASE("gunicorn's upgrade by SIGUSR2 is served by the new program")
{
    const TempDir folder;
    const auto write_app = [&](const char* version) {
        std::ignore = folder.write("app.py", fmt::format(R"(
def app(environ, start_response):
    start_response('200 OK', [('X-Slot', '{}'), ('Content-Length', '2'), ('Connection', 'close')])
    return [b'ok']
)",
                                                         version));
    };
    write_app("old");
    const auto port = free_port();
    const auto pid_file = folder.path() / "pid";
    UsherProcess usher{{"run", "--workers", "1", "--", "/usr/bin/gunicorn", "--chdir",
                        folder.path(), "--pid", pid_file, "--bind",
                        "127.0.0.1:" + std::to_string(port), "app:app"}};
    usher.wait_until_ready(1);
    CHECK(ask(loopback(port)) == "old");

    write_app("new");
    const auto old = usher.worker_pid(1);
    ::kill(old, SIGUSR2);
    const auto seen = [&](const std::string& version) { return ask(loopback(port)) == version; };
    CHECK(eventually([&] { return seen("new"); })); // both have the queue for a while
    ::kill(old, SIGWINCH);                          // the old one's workers leave
    CHECK(eventually([&] {
        for (int i = 0; i < 20; ++i)
            if (!seen("new"))
                return false;
        return true;
    }));
    CHECK(usher.count("listening on") == 1);
}

TEST_CASE("a program that listens on a mapped IPv4 address has that address, and its clients")
{
    constexpr auto program = R"(
import socket, sys
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(('::ffff:127.0.0.1', int(sys.argv[1])))
s.listen()
while True:
    client, address = s.accept()
    client.recv(4096)
    client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Slot: %s\r\n\r\nok'
                   % address[0].encode())
    client.close()
)";
    const auto port = free_port();
    std::vector<std::string> flags{"--workers", "2"};
    SUBCASE("where it listens itself") {}
    SUBCASE("on the pool's IPv4 address")
    {
        flags.insert(flags.end(), {"--listen", "127.0.0.1:" + std::to_string(port)});
    }
    UsherProcess usher{run_python(flags, program, port)};
    usher.wait_until_ready(2);
    CHECK(usher.count("listening on 127.0.0.1:" + std::to_string(port)) == 1);
    for (int i = 0; i < 4; ++i)
        CHECK(ask(loopback(port)) == "::ffff:127.0.0.1");
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("questions for which the control socket has no room wait, and get their answers")
{
    // More than a control socket holds ask while the master stands still.
    constexpr auto program = R"(
import os, socket, sys, time
begun, begin = os.pipe()
done, tell = os.pipe()
for i in range(400):
    if os.fork() == 0:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(('127.0.0.1', int(sys.argv[1])))
        os.write(begin, b'x')
        s.listen()
        os.write(tell, b'x')
        time.sleep(1000)
sys.stdin.close()
for i in range(400):
    os.read(begun, 1)
open(sys.argv[2], 'w').close()
for i in range(400):
    os.read(done, 1)
print('all listen', flush=True)
time.sleep(1000)
)";
    const TempDir folder;
    const auto port = free_port();
    const auto gate = folder.path() / "gate";
    const auto asked = folder.path() / "asked";
    auto arguments = run_python({"--workers", "1"}, program, port);
    arguments.push_back(asked);
    // The program begins when the master stands still.
    const auto at = std::find(arguments.begin(), arguments.end(), "--") + 1;
    arguments.insert(at, {"sh", "-c",
                          "touch " + gate.string() + ".waits; while [ ! -e " + gate.string() +
                              " ]; do sleep 0.05; done; exec \"$0\" \"$@\""});
    UsherProcess usher{arguments};
    REQUIRE(eventually([&] { return std::filesystem::exists(gate.string() + ".waits"); }));
    usher.signal(SIGSTOP);
    std::ignore = folder.write("gate", "");
    CHECK(eventually([&] { return std::filesystem::exists(asked); }));
    usher.signal(SIGCONT);
    usher.wait_for("all listen");
    CHECK(usher.count("listening on") == 1);
}

TEST_CASE("what Node's primary had listened on, and no worker asks for, is closed")
{
    constexpr auto program = R"(
        const cluster = require('cluster'), http = require('http');
        const serve = port => http.createServer((request, response) => {
            response.writeHead(200, {'X-Slot': process.env.USHER_SLOT, 'Content-Length': 2});
            response.end('ok');
        }).listen(port, '127.0.0.1').on('error', error => console.log('refused', error.code));
        if (!cluster.isPrimary) process.send('ready');
        else serve(+process.argv[2]).on('listening', () => setTimeout(() => cluster.fork(), 100));
    )";
    const TempDir folder;
    const auto port = free_port();
    const auto file = folder.write("server.js", program).string();
    UsherProcess usher{{"run", "--workers", "1", "--listen", "127.0.0.1:" + std::to_string(port),
                        "--", "node", file, std::to_string(port)}};
    usher.wait_for("dialect node: the program forks workers of Node's cluster");
    usher.wait_for("no longer listening on 127.0.0.1:" + std::to_string(port));
    CHECK(eventually([&] {
        try {
            std::ignore = connect_to(loopback(port));
            return false;
        } catch (const std::exception&) {
            return true;
        }
    }));
}

TEST_CASE("without the shim the remedy is named, and native workers do all the same")
{
    const TempDir folder;
    const auto alone = folder.path() / "usher";
    std::filesystem::copy_file(usher_program(), alone);
    const auto built = usher_program();
    ::setenv("USHER_TEST_USHER", alone.c_str(), 1);
    UsherProcess usher{{"run", "--workers", "1", "--listen", "127.0.0.1:0", "--", hello_program()}};
    ::setenv("USHER_TEST_USHER", built.c_str(), 1);
    usher.wait_until_ready(1);
    CHECK(usher.count("libusher-preload.so") == 1);
    CHECK(usher.count("install usher completely") == 1);
    CHECK(get(usher.port(), "/").ok());
}

TEST_SUITE_END();

} // namespace usher::auto_sockets_test
