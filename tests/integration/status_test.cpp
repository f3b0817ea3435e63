// SPDX-License-Identifier: MIT
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/shell.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <string>
#include <tuple>
#include <vector>

namespace usher::status_test {

using namespace usher::test;
using nlohmann::json;

namespace {

json status_of(const UsherProcess& usher)
{
    return json::parse(usher.command({"status", "--json"}).output);
}

/// Checks `status` against the documented schema, with a program that is not ours.
void check_schema(const UsherProcess& usher, const TempDir& folder)
{
    const auto status = usher.command({"status", "--json"}).output;
    CAPTURE(status);
    const auto file = folder.write("status.json", status);
    CHECK_NOTHROW(output_of("/usr/bin/python3 -m jsonschema -i " + file.string() + " " +
                            source_folder() + "/docs/status.schema.json 2>&1"));
}

} // namespace

TEST_SUITE_BEGIN("status");

TEST_CASE("what status prints as JSON is what its schema says, whatever the state")
{
    const TempDir folder;
    ConfigFile config;
    config.pool["name"] = "native";
    config.pool["output"] = {{"file", config.in_folder("lines")}};
    config.pool["bus"] = {{"share", "all"}};
    config.more_pools = {{{"name", "server"},
                          {"dialect", "preload"},
                          {"command", {"/usr/bin/python3", "-m", "http.server", "8000"}},
                          {"workers", 1},
                          {"listen", "127.0.0.1:0"}},
                         {{"name", "jobs"},
                          {"dialect", "none"},
                          {"command", {"/bin/sleep", "1000"}},
                          {"workers", 1},
                          {"start_delay", "10ms"}},
                         {{"name", "bad"},
                          {"dialect", "none"},
                          {"command", {"/bin/false"}},
                          {"workers", 1},
                          {"start_delay", "10ms"}}};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_for(": started");
    check_schema(usher, folder);
    usher.wait_for_count("ready after", 4);
    check_schema(usher, folder);
    CHECK(usher.command({"scale", "3", "--pool", "native"}).code == 0);
    CHECK(usher.command({"drain", "1", "--pool", "native"}).code == 0);
    CHECK(usher.command({"reload"}).code == 0);
    check_schema(usher, folder);
}

TEST_CASE("what people want to know of a worker's process is there, of all of its group")
{
    ConfigFile config;
    config.pool["command"] = {"/bin/sh", "-c", demo_program() + "; exit $?"};
    config.pool["workers"] = 1;
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(1);
    const auto worker = [&] { return status_of(usher).at("pools").at(0).at("workers").at(0); };
    // More than a shell alone would need.
    CHECK(worker().at("memory") > 3'000'000);
    CHECK(worker().at("cpu_percent") >= 0);
    const auto before = worker().at("handed_off").get<int>();
    for (int i = 0; i < 50; ++i)
        CHECK(get(usher.port(), "/").ok());
    CHECK(worker().at("handed_off") == before + 50);
    CHECK(eventually([&] {
        std::ignore = get(usher.port(), "/");
        return worker().at("connections_per_second") > 0;
    }));
    CHECK(status_of(usher).at("memory") > 1'000'000);

    ::kill(-usher.worker_pid(1), SIGKILL);
    usher.wait_until_ready(2);
    CHECK(worker().at("last_failure").get<std::string>().find("SIGKILL") != std::string::npos);
    CHECK(usher.command({"status"}).output.find("last exit: the worker was killed by SIGKILL") !=
          std::string::npos);
}

TEST_CASE("clients that wait in the backlog are counted")
{
    ConfigFile config;
    config.pool["workers"] = 1;
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(1);
    CHECK(usher.command({"drain", "1"}).code == 0);
    std::vector<HttpClient> clients;
    for (int i = 0; i < 3; ++i)
        clients.emplace_back(usher.port()).send_get("/");
    CHECK(status_of(usher).at("pools").at(0).at("listeners").at(0).at("waiting") == 3);
    CHECK(usher.command({"ls"}).output.find(", where 3 clients wait in the backlog\n") !=
          std::string::npos);
    CHECK(usher.command({"restart", "1"}).code == 0);
    for (auto& client : clients)
        CHECK(client.read_answer().ok());
    CHECK(status_of(usher).at("pools").at(0).at("listeners").at(0).at("waiting") == 0);
}

TEST_CASE("status --watch shows it again and again, until the master is gone")
{
    ConfigFile config;
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    UsherProcess watch{{"status", "--watch", "--json", "--control", usher.control_path()}};
    watch.wait_for_count("\"format\":1", 3);
    CHECK(usher.stop() == usher::sys::ExitStatus{});
    CHECK(watch.wait().code == 4);
}

TEST_CASE("status says when the last reload was and how it ended")
{
    OnePool pool{json::object()};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(1);
    CHECK(status_of(usher).at("reload") == json{{"running", false}, {"last", nullptr}});
    CHECK(usher.command({"status"}).output.find("last reload") == std::string::npos);

    CHECK(usher.command({"reload"}).code == 0);
    auto last = status_of(usher).at("reload").at("last");
    CHECK(last.at("result") == "done");
    CHECK(last.at("time").get<std::string>().find('T') == 10);
    CHECK(last.at("duration_ms") >= 0);
    CHECK(last.at("age_ms") < 60'000);

    pool.write({{"command", {"/bin/false"}}});
    CHECK(usher.command({"reload"}).code == 1);
    last = status_of(usher).at("reload").at("last");
    CHECK(last.at("result") == "failed");
    CHECK(last.at("message").get<std::string>().find("before it was ready") != std::string::npos);
    const auto text = usher.command({"status"}).output;
    CHECK(text.find("s ago: failed, pool \"default\" keeps its old generation") !=
          std::string::npos);
}

TEST_CASE("status says that a reload is under way, and that a new worker is starting")
{
    OnePool pool{json::object()};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(1);
    pool.write({{"command", {demo_program(), "--never-ready"}}, {"start_timeout", "1m"}});
    UsherProcess reload{{"reload", "--control", usher.control_path()}};
    reload.wait_for(": started");
    const auto status = status_of(usher);
    CHECK(status.at("reload").at("running") == true);
    CHECK(status.at("pools").at(0).at("leaving").at(0).at("state") == "starting");
    CHECK(usher.command({"status"}).output.find("\na reload is under way\n") != std::string::npos);
    CHECK(usher.command({"stop", "--now"}).code == 0);
}

TEST_CASE("status counts the lines of a pool that could not be written to its file")
{
    const OnePool pool{
        {{"command", {"/bin/sh", "-c", "echo a; echo b >&2; exec \"$0\"", demo_program()}},
         {"output", {{"file", "/dev/full"}}}}};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(1);
    usher.wait_for("output to /dev/full");
    usher.wait_for("lost");
    while (status_of(usher).at("pools").at(0).at("lost_lines") != 2)
        REQUIRE(usher.command({"status"}).code == 0);
    CHECK(status_of(usher).at("stderr_lost_lines") == 0);
    CHECK(usher.command({"status"})
              .output.find("\n2 lines of workers' output lost on their way to the file\n") !=
          std::string::npos);
}

TEST_CASE("where usher does not see or not count a pool's lines there is no number")
{
    const OnePool pool{{{"output", "inherit"}}};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(1);
    CHECK(status_of(usher).at("pools").at(0).at("lost_lines").is_null());
}

TEST_CASE("a pool without a worker is not called serving, and the master not ready")
{
    OnePool pool{json::object()};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(1);
    CHECK(status_of(usher).at("pools").at(0).at("state") == "serving");

    CHECK(usher.command({"drain", "1"}).code == 0);
    const auto drained = status_of(usher);
    CHECK(drained.at("pools").at(0).at("state") == "drained");
    CHECK(drained.at("ready") == false);
    CHECK(usher.command({"status"}).output.find("pool default, drained, ") != std::string::npos);

    CHECK(usher.command({"restart", "1"}).code == 0);
    CHECK(status_of(usher).at("pools").at(0).at("state") == "serving");
}

TEST_SUITE_END();

} // namespace usher::status_test
