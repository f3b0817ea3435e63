// SPDX-License-Identifier: MIT
#include "tests/support/one_pool.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace usher::status_test {

using namespace usher::test;
using nlohmann::json;

namespace {

json status_of(const UsherProcess& usher)
{
    return json::parse(usher.command({"status", "--json"}).output);
}

} // namespace

TEST_SUITE_BEGIN("status");

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
