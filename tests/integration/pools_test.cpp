// SPDX-License-Identifier: MIT
// Pools come and go by reload, and a bad one harms no other.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/process_facts.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

namespace usher::pools_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

nlohmann::json pool_named(const std::string& name, const nlohmann::json& more = {})
{
    nlohmann::json pool{{"name", name},           {"command", {demo_program()}},
                        {"workers", 1},           {"listen", "127.0.0.1:0"},
                        {"start_timeout", "20s"}, {"start_attempts", 1}};
    pool.update(more);
    return pool;
}

nlohmann::json status_of_pool(const UsherProcess& usher, const std::string& name)
{
    const auto status = nlohmann::json::parse(usher.command({"status", "--json"}).output);
    for (const auto& pool : status.at("pools"))
        if (pool.at("name") == name)
            return pool;
    return {};
}

/// What a client that connects to the Unix socket gets from `/`.
bool answers(const std::string& path)
{
    HttpClient client{path};
    client.send_get("/");
    return client.read_answer().ok();
}

} // namespace

TEST_SUITE_BEGIN("pools");

TEST_CASE("a reload adds a pool and removes one, and the others notice nothing")
{
    ConfigFile config;
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    Load load{usher.port(), 4};
    const auto first = usher.worker_pid(1);
    const auto path = config.in_folder("api.sock");

    config.pool["max_queue"] = 32; // so that its workers stay
    config.more_pools = {pool_named("api", {{"listen", "unix:" + path}})};
    config.write();
    const auto plan = usher.command({"reload", "--dry-run"});
    CHECK(plan.output.find("pool \"api\": is new, 1 worker, opens unix:" + path) !=
          std::string::npos);
    CHECK(status_of_pool(usher, "api").is_null());
    CHECK_FALSE(std::filesystem::exists(path));

    CHECK(usher.command({"reload"}).code == 0);
    usher.wait_for("worker api/1 (pid ");
    CHECK(status_of_pool(usher, "api").at("state") == "serving");
    CHECK(answers(path));
    CHECK(usher.command({"scale", "2", "--pool", "api"}).code == 0);
    CHECK(usher.command({"scale", "3"}).code == 2); // of which pool?

    HttpClient in_flight{path};
    in_flight.send_get("/slow?ms=700");
    CHECK(answers(path));
    CHECK(answers(path)); // now the slow one has been taken
    config.pool["max_queue"] = 33;
    config.more_pools = nlohmann::json::array();
    config.write();
    CHECK(usher.command({"reload", "--dry-run"})
              .output.find("pool \"api\": is removed, draining 2 workers") != std::string::npos);
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(eventually([&] { return !std::filesystem::exists(path); })); // by a thread
    CHECK(in_flight.read_answer().ok());
    CHECK(eventually([&] { return status_of_pool(usher, "api").is_null(); }));

    load.stop();
    CAPTURE(load.first_problem());
    CHECK(load.problems() == 0);
    CHECK(usher.worker_pid(1) == first);
    CHECK(children_of(usher.pid()).size() == 2);
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("a new pool that does not come up is not added, and says why")
{
    ConfigFile config;
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const auto path = config.in_folder("bad.sock");
    config.pool["max_queue"] = 32;
    for (const nlohmann::json& command :
         {nlohmann::json{"/bin/false"}, nlohmann::json{"/no/such/server"}}) {
        config.more_pools = {
            pool_named("bad", {{"command", command}, {"listen", "unix:" + path}, {"workers", 2}})};
        config.write();
        const auto result = usher.command({"reload"});
        CAPTURE(result.output);
        CHECK(result.code == 1);
        CHECK(result.output.find("reload failed in part: pool \"bad\" is not added: worker bad/") !=
              std::string::npos);
        CHECK(eventually([&] { return status_of_pool(usher, "bad").is_null(); }));
        CHECK(eventually([&] { return !std::filesystem::exists(path); })); // by a thread
        CHECK(get(usher.port(), "/").ok());
    }
    CHECK(children_of(usher.pid()).size() == 2);

    config.more_pools = {pool_named("bad", {{"listen", "unix:" + path}})}; // mended
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(answers(path));
}

TEST_CASE("a pool that gave up at the start harms no other, and a reload brings it back")
{
    ConfigFile config;
    const auto path = config.in_folder("api.sock");
    config.more_pools = {
        pool_named("api", {{"command", {"/bin/false"}}, {"listen", "unix:" + path}})};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_for("no worker was ever ready of pool \"api\"");
    usher.wait_until_ready(2);
    CHECK(get(usher.port(), "/").ok());
    CHECK(status_of_pool(usher, "api").at("state") == "failed");
    CHECK(usher.command({"status"}).output.find("not ready") != std::string::npos);

    config.pool["max_queue"] = 32;
    config.more_pools = {pool_named("api", {{"listen", "unix:" + path}})};
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(answers(path));
    CHECK(status_of_pool(usher, "api").at("state") == "serving");
    CHECK(usher.command({"status"}).output.find(", ready") != std::string::npos);
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("an address does not move from one pool to another within one reload")
{
    ConfigFile config;
    const auto path = config.in_folder("api.sock");
    config.more_pools = {pool_named("api", {{"listen", "unix:" + path}})};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(3);

    config.more_pools = {pool_named("web", {{"listen", "unix:" + path}})};
    config.write();
    const auto result = usher.command({"reload"});
    CHECK(result.code == 3);
    CHECK(result.output.find("unix:" + path + ": pool \"api\" still listens there") !=
          std::string::npos);
    CHECK(answers(path));

    config.more_pools = nlohmann::json::array();
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    config.more_pools = {pool_named("web", {{"listen", "unix:" + path}})};
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(answers(path));
}

TEST_CASE("after 30 pools that came and went, descriptors and processes are where they were")
{
    ConfigFile config;
    const auto path = config.in_folder("api.sock");
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const auto toggle = [&](bool there, int round) {
        config.pool["max_queue"] = 10 + round; // changes something else than the program
        config.more_pools = nlohmann::json::array();
        if (there)
            config.more_pools = {pool_named("api", {{"listen", "unix:" + path}})};
        config.write();
        CHECK(usher.command({"reload"}).code == 0);
    };
    const auto settled = [&] { return children_of(usher.pid()).size() == 2; };
    toggle(true, 0);
    toggle(false, 1);
    REQUIRE(eventually(settled));
    const auto descriptors = descriptors_of(usher.pid()).size();
    for (int i = 1; i <= 30; ++i) {
        toggle(true, 2 * i);
        toggle(false, 2 * i + 1);
    }
    REQUIRE(eventually(settled));
    CHECK(eventually([&] { return descriptors_of(usher.pid()).size() <= descriptors; }));
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("log_level is brought in by a reload")
{
    ConfigFile config;
    config.top["log_level"] = "warning";
    config.write();
    UsherProcess usher{config.run()};
    REQUIRE(eventually([&] {
        const auto status = usher.command({"status"});
        return status.code == 0 && status.output.find(", ready") != std::string::npos;
    }));
    CHECK(usher.log().find("info:") == std::string::npos);

    config.top["log_level"] = "debug";
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(usher.command({"restart", "1"}).code == 0);
    usher.wait_for("debug: worker 1 (pid ");
    config.top["log_level"] = "loud";
    config.write();
    const auto refused = usher.command({"reload"});
    CHECK(refused.code == 3);
    CHECK(refused.output.find("/log_level: is \"loud\", but must be \"debug\", \"info\"") !=
          std::string::npos);
}

TEST_SUITE_END();

} // namespace usher::pools_test
