// SPDX-License-Identifier: MIT
// Workers that say READY=1 as to systemd, in the dialects that have other ways, too.
#include "tests/support/config_file.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/node_programs.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <string>

#include <sys/stat.h>

namespace usher::notify_test {

using namespace usher::test;
using nlohmann::json;

namespace {

/// A pool whose one worker listens, waits for a line of a FIFO, and then says READY=1.
struct Site : ConfigFile {
    Site()
    {
        REQUIRE(::mkfifo(gate().c_str(), 0600) == 0);
        pool["workers"] = 1;
        pool["ready"] = "notify";
        pool["env"] = {{"GATE", gate()}};
        top["log_level"] = "debug";
        std::ofstream{in_folder("notify.py")}
            << "import os, socket\n"
               "print('at the gate', flush=True)\n"
               "open(os.environ['GATE']).readline()\n"
               "out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
               "out.sendto(b'STATUS=warm\\nREADY=1',\n"
               "           os.environ['NOTIFY_SOCKET'].replace('@', '\\0', 1))\n";
    }

    [[nodiscard]] std::string gate() const { return in_folder("gate"); }
    void open_gate() const { std::ofstream{gate()} << "go\n" << std::flush; }
};

void check_waits_for_word(const Site& site)
{
    UsherProcess usher{site.run()};
    usher.wait_for("at the gate"); // it listens already
    const auto state = [&] {
        return json::parse(usher.command({"status", "--json"}).output)["pools"][0]["workers"][0];
    };
    CHECK(state().at("state") == "starting");
    site.open_gate();
    usher.wait_until_ready(1);
    CHECK(state().at("says") == "warm");
    CHECK(get(usher.port(), "/").ok());
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

} // namespace

TEST_SUITE_BEGIN("notify");

TEST_CASE("an unmodified server that listens is ready when it says so")
{
    Site site;
    std::ofstream{site.in_folder("server.py")}
        << "import http.server, runpy, threading\n"
           "server = http.server.ThreadingHTTPServer(('', 3000), "
           "http.server.SimpleHTTPRequestHandler)\n"
           "threading.Thread(target=server.serve_forever).start()\n"
           "runpy.run_path('"
        << site.in_folder("notify.py") << "')\n";
    site.pool["dialect"] = "preload";
    site.pool["command"] = {"python3", site.in_folder("server.py")};
    site.write();
    check_waits_for_word(site);
}

TEST_CASE("a Node worker that listens is ready when a child of its says so")
{
    Site site;
    std::ofstream{site.in_folder("server.js")}
        << "require('http').createServer((request, response) => response.end('ok'))\n"
           "  .listen(0, '127.0.0.1', () => require('child_process').spawn('python3', ['"
        << site.in_folder("notify.py") << "'], {stdio: 'inherit'}));\n";
    site.pool["dialect"] = "node";
    site.pool["command"] = {node_program(), site.in_folder("server.js")};
    site.pool.erase("listen");
    site.write();
    check_waits_for_word(site);
}

TEST_CASE("a native worker is offered no such socket")
{
    Site site;
    site.pool.erase("ready");
    site.pool["command"] = {"/bin/sh", "-c",
                            "echo \"socket: [$NOTIFY_SOCKET]\"; exec " + demo_program()};
    site.write();
    UsherProcess usher{site.run()};
    usher.wait_for("socket: []");
    usher.wait_until_ready(1);
}

TEST_SUITE_END();

} // namespace usher::notify_test
