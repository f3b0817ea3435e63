// SPDX-License-Identifier: MIT
// What workers of another user say to a master that is root, and how much of it.
#include "tests/hostile/neighbourhood.hpp"

#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <string>

#include <sys/socket.h>
#include <unistd.h>

namespace usher::hostile_messages_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

void be_node(Neighbourhood& here)
{
    here.pool["dialect"] = "node";
    here.pool.erase("listen"); // its workers say where
}

} // namespace

TEST_SUITE_BEGIN("hostile_messages");

TEST_CASE("a worker whose control messages are long and full of objects costs nobody time")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    here.workers_do("say-objects");
    auto& usher = here.start();
    here.wait_for("says objects");
    here.check_innocent();
    usher.wait_for("retired, because it sent a malformed control message: longer than 4 KiB");
}

TEST_CASE("a worker that says more than it has to say is at fault")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    here.workers_do("say-much");
    auto& usher = here.start();
    here.wait_for("says much");
    usher.wait_for("retired, because it sent more than 1000 control messages in 10 s");
    here.check_innocent();
}

TEST_CASE("a stranger cannot flood the inbox of a worker, and what it says is heard")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    here.pool["dialect"] = "preload";
    here.pool["ready"] = "notify";
    here.workers_do("keep-watchdog");
    auto& usher = here.start();
    here.wait_for("inside");
    here.stranger_does("flood-inboxes");
    here.stranger_does("flood-inboxes");
    here.wait_for("floods");
    const auto before = cpu_time(usher.pid());
    here.check_innocent(3s);
    MESSAGE("CPU of the master: ", (cpu_time(usher.pid()) - before) / 1ms, " ms in 3 s");
    CHECK(here.said().find("lost") == std::string::npos);
}

TEST_CASE("a worker that filters what comes to its socket does not deafen its successor")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    here.pool["dialect"] = "listen-fds";
    SUBCASE("a socket of its own") {}
    SUBCASE("one that all share")
    {
        here.pool["share"] = true;
    }
    here.workers_do("deafen-seat", {here.workers_folder() + "/marker"});
    auto& usher = here.start();
    usher.wait_for("exited with code 1");
    CHECK(here.said().find("filters") == std::string::npos);
    HttpClient client{usher.port(1)};
    client.send_get("/");
    CHECK(client.read_answer().ok());
    here.check_innocent(1s);
}

TEST_CASE("Node's own messages are short")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    be_node(here);
    here.workers_do("say-long-internal");
    auto& usher = here.start();
    here.wait_for("says long internal");
    usher.wait_for("a message of Node's own is longer than 256 KiB");
    here.check_innocent();
}

TEST_CASE("the data of Node's servers are small")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    be_node(here);
    here.workers_do("ask-with-much-data");
    auto& usher = here.start();
    here.wait_for("errno -22"); // EINVAL
    usher.wait_for("\"data\" is longer than 64 KiB");
    here.check_innocent(1s);
}

TEST_CASE("what workers say is one line, and steers no terminal")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    here.workers_do("say-escapes");
    auto& usher = here.start();
    usher.wait_for("says it leaves: begin");
    usher.wait_for("output begin");
    for (const std::string& all :
         {usher.log(), usher.command({"events"}).output, usher.command({"status"}).output,
          usher.command({"events", "--json"}).output, usher.command({"status", "--json"}).output})
        for (const char* const bad : {"\x1b", "\r", "\u009b", "\x9b", "\u202e", "\u2028", "\x7f"}) {
            CAPTURE(bad);
            CHECK(all.find(bad) == std::string::npos);
        }
}

TEST_CASE("whatever workers say, the log has few lines of it, and how many there were more")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    here.workers_do("say-bye-often");
    auto& usher = here.start();
    here.wait_for("said bye");
    here.check_innocent(1s);
    CHECK(usher.count("says it leaves: again") <= 200); // it may not have been at once
    CHECK(usher.command({"events"}).output.find("says it leaves: again") != std::string::npos);
    usher.signal(SIGTERM);
    usher.wait_for(" more lines of kind note");
}

TEST_CASE("a worker of another user gets no socket that usher was started with")
{
    if (!Neighbourhood::is_possible())
        return;
    for (const bool is_allowed : {false, true}) {
        CAPTURE(is_allowed);
        Neighbourhood here;
        be_node(here);
        if (is_allowed)
            here.pool["node"]["allow_inherited"] = true;
        here.workers_do("ask-for-inherited", {"40"});
        auto& usher = here.start([] {
            const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
            ::dup2(fd, 40);
        });
        here.wait_for(is_allowed ? "errno 0" : "errno -13"); // EACCES
        if (!is_allowed)
            usher.wait_for("may not listen on descriptor 40");
        here.check_innocent(1s);
    }
}

TEST_SUITE_END();

} // namespace usher::hostile_messages_test
