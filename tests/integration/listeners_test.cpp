// SPDX-License-Identifier: MIT
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/node_programs.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace usher::listeners_test {

using namespace usher::test;

namespace {

std::vector<std::string> run_on(const std::string& address)
{
    return {"run", "--listen", address, "--workers", "1", "--", demo_program()};
}

std::uint16_t free_port()
{
    return listen_on(loopback(0)).address.port();
}

} // namespace

TEST_SUITE_BEGIN("listeners");

TEST_CASE("a second master on the same port is refused clearly, and the first is undisturbed")
{
    UsherProcess first{run_demo(1)};
    first.wait_until_ready(1);
    const auto port = first.port();

    UsherProcess second{run_on("127.0.0.1:" + std::to_string(port))};
    CHECK(second.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 2});
    CHECK(second.count("usher: 127.0.0.1:" + std::to_string(port) +
                       ": another process listens there already") == 1);
    CHECK(second.count("started") == 0);
    CHECK(get(port, "/").ok());
}

TEST_CASE("a second master on the same socket path is refused clearly, the first undisturbed")
{
    const TempDir folder;
    const auto path = (folder.path() / "usher.sock").string();
    UsherProcess first{run_on("unix:" + path)};
    first.wait_until_ready(1);

    UsherProcess second{run_on("unix:" + path)};
    CHECK(second.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 2});
    CHECK(second.count("usher: unix:" + path + ": another process listens there already") == 1);

    HttpClient client{path};
    client.send_get("/whoami");
    const auto answer = nlohmann::json::parse(client.read_answer().body);
    CHECK(answer.at("peer") == "unix");
    CHECK(first.stop() == usher::sys::ExitStatus{});
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("the socket file of a master that was killed is replaced")
{
    const TempDir folder;
    const auto path = (folder.path() / "usher.sock").string();
    UsherProcess first{run_on("unix:" + path)};
    first.wait_until_ready(1);
    first.signal(SIGKILL);
    first.wait();
    REQUIRE(std::filesystem::exists(path));

    UsherProcess second{run_on("unix:" + path)};
    second.wait_until_ready(1);
    HttpClient client{path};
    client.send_get("/");
    CHECK(client.read_answer().ok());
}

TEST_CASE("a file that is no socket is never replaced")
{
    const TempDir folder;
    const auto file = folder.write("precious", "data");

    UsherProcess usher{run_on("unix:" + file.string())};
    CHECK(usher.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 2});
    std::string text;
    std::ifstream{file} >> text;
    CHECK(text == "data");
}

TEST_CASE("several listeners feed one pool, and a worker learns which and from where")
{
    const TempDir folder;
    const auto path = (folder.path() / "s").string();
    const nlohmann::json config{
        {"pools",
         {{{"command", {demo_program()}},
           {"workers", 2},
           {"listen",
            {"127.0.0.1:0", "127.0.0.1:0", {{"address", "unix:" + path}, {"mode", "0660"}}}}}}}};
    UsherProcess usher{{"run", "--config", folder.write("c.json", config.dump()).string()}};
    usher.wait_until_ready(2);

    const auto first = nlohmann::json::parse(get(usher.port(0), "/whoami").body);
    const auto second = nlohmann::json::parse(get(usher.port(1), "/whoami").body);
    CHECK(first.at("listener") == 0);
    CHECK(second.at("listener") == 1);
    CHECK(first.at("slot") == 1);
    CHECK(second.at("slot") == 2);
    CHECK(second.at("local") == "127.0.0.1:" + std::to_string(usher.port(1)));
    CHECK(first.at("peer").get<std::string>().starts_with("127.0.0.1:"));
    CHECK(second.at("connection") == first.at("connection").get<int>() + 1);
    CHECK(first.at("generation") == 1);

    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0660);
}

TEST_CASE("an address that is written otherwise is the same listener, and clients notice nothing")
{
    ConfigFile config;
    const auto port = std::to_string(free_port());
    const auto path = config.in_folder("a.sock");
    config.pool["listen"] = {port, "unix:" + path};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    Load load{static_cast<std::uint16_t>(std::stoul(port)), 4};

    const std::vector<std::vector<std::string>> ways{
        {"*:" + port, "unix:" + path},
        {"unix:" + config.in_folder("./a.sock"), "[::]:" + port},
        {"[0::0]:" + port, "unix:" + config.in_folder("b/../a.sock")},
    };
    for (const auto& way : ways) {
        CAPTURE(way.front());
        config.pool["listen"] = way;
        config.write();
        const auto result = usher.command({"reload"});
        CAPTURE(result.output);
        CHECK(result.code == 0);
    }
    CHECK(usher.count("listening on") == 2); // neither opened nor closed again
    HttpClient client{path};
    client.send_get("/");
    CHECK(client.read_answer().ok());
    load.wait_for(100);
    load.stop();
    CHECK(load.problems() == 0);
}

TEST_CASE("an address of a name may stand for itself: what both have in common stays open")
{
    ConfigFile config;
    const auto port = std::to_string(free_port());
    config.pool["listen"] = "localhost:" + port;
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const std::string line = "] info: listening on 127.0.0.1:" + port;
    CHECK(usher.count(line) == 1);
    Load load{static_cast<std::uint16_t>(std::stoul(port)), 4};

    for (const auto* const host : {"127.0.0.1:", "localhost:", "LocalHost:"}) {
        CAPTURE(host);
        config.pool["listen"] = host + port;
        config.write();
        const auto plan = usher.command({"reload", "--dry-run"});
        CAPTURE(plan.output);
        CHECK(plan.code == 0);
        CHECK(plan.output.find("127.0.0.1") == std::string::npos);
        CHECK(plan.output.find("localhost") == std::string::npos);
        const auto result = usher.command({"reload"});
        CAPTURE(result.output);
        CHECK(result.code == 0);
    }
    CHECK(usher.count(line) == 1);
    CHECK(usher.count("no longer listening on 127.0.0.1:") == 0);
    load.wait_for(100);
    load.stop();
    CHECK(load.problems() == 0);
}

TEST_CASE("a socket's file that somebody has removed is made anew by a reload")
{
    ConfigFile config;
    const auto path = config.in_folder("a.sock");
    config.pool["listen"] = {"127.0.0.1:0", "unix:" + path};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const auto check_served = [&] {
        HttpClient client{path};
        client.send_get("/");
        CHECK(client.read_answer().ok());
    };
    Load load{usher.port(), 2};
    HttpClient before{path};
    for (int i = 0; i < 2; ++i) {
        std::filesystem::remove(path);
        const auto result = usher.command({"reload"});
        CAPTURE(result.output);
        CHECK(result.code == 0);
        check_served();
    }
    before.send_get("/");
    CHECK(before.read_answer().ok());

    std::filesystem::remove(path);
    std::ofstream{path} << "somebody else's";
    const auto result = usher.command({"reload"});
    CHECK(result.code == 3);
    CHECK(result.output.find("unix:" + path +
                             ": another process listens there already, or the "
                             "file is no socket") != std::string::npos);
    load.wait_for(10);
    load.stop();
    CHECK(load.problems() == 0);
    CHECK(usher.stop() == usher::sys::ExitStatus{});
    CHECK(usher.count("no longer listening on") == 0); // it is listened on again
    CHECK(std::filesystem::is_regular_file(path));
}

TEST_CASE("sockets whose folder somebody has removed come back, by a reload and by themselves")
{
    ConfigFile config;
    const auto folder = std::filesystem::path{config.in_folder("run")};
    std::filesystem::create_directory(folder);
    const auto path = (folder / "a.sock").string();
    const auto control = (folder / "control").string();
    config.pool["listen"] = {"127.0.0.1:0", "unix:" + path};
    config.write();
    UsherProcess usher{config.run(), {}, control};
    usher.wait_until_ready(2);
    const auto check_served = [&] {
        HttpClient client{path};
        client.send_get("/");
        CHECK(client.read_answer().ok());
        UsherProcess status{{"status", "--control", control}};
        CHECK(status.wait() == usher::sys::ExitStatus{});
    };
    check_served();
    Load load{usher.port(), 2};

    std::filesystem::remove(control);
    std::filesystem::remove(path);
    usher.signal(SIGHUP);
    usher.wait_for(control + ": somebody has removed the file of the control socket, which was "
                             "opened anew");
    usher.wait_for("reload done");
    check_served();

    std::filesystem::remove_all(folder);
    usher.signal(SIGHUP);
    usher.wait_for("reload failed, nothing has changed: ");
    usher.wait_for("which cannot be opened anew yet: ");
    std::filesystem::create_directory(folder);
    constexpr std::chrono::seconds more_than_a_minute{100};
    usher.wait_for_count("was opened anew", 3, more_than_a_minute);
    CHECK(usher.wait_for("a Unix socket, which was opened anew: ").find("unix:" + path) !=
          std::string::npos);
    check_served();
    CHECK(std::filesystem::exists(control + ".lock"));

    load.wait_for(10);
    load.stop();
    CHECK(load.problems() == 0);
    CHECK(usher.stop() == usher::sys::ExitStatus{});
    CHECK(std::filesystem::is_empty(folder));
}

TEST_CASE("a Unix socket may have an abstract name, which a reload takes and gives back")
{
    ConfigFile config;
    const auto name = "usher-test-" + std::to_string(::getpid());
    const auto address = usher::sys::SocketAddress::unix_name(name);
    const auto check_served = [&] {
        HttpClient client{address};
        client.send_get("/");
        CHECK(client.read_answer().ok());
    };
    config.pool["listen"] = {"127.0.0.1:0", "unix:@" + name};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    usher.wait_for("listening on unix:@" + name);
    check_served();
    CHECK(usher.command({"reload"}).code == 0);
    check_served();
    CHECK(usher.count("listening on unix:@" + name) == 1);
    CHECK(usher.command({"status"}).output.find("unix:@" + name) != std::string::npos);

    UsherProcess second{run_on("unix:@" + name)};
    CHECK(second.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 2});
    CHECK(second.count("unix:@" + name + ": another process listens there already") == 1);

    config.pool["listen"] = "127.0.0.1:0";
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    usher.wait_for("no longer listening on unix:@" + name);
    std::ignore = listen_on(address);
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("an abstract name serves programs of every dialect")
{
    const auto name = "usher-test-" + std::to_string(::getpid());
    const auto server = source_folder() + "/tests/listen_fds/server.py";
    const std::vector<nlohmann::json> pools{
        {{"dialect", "preload"},
         {"command",
          {node_program(), "-e", "require('http').createServer((q, a) => a.end()).listen(8080)"}}},
        {{"dialect", "listen-fds"}, {"command", {"/usr/bin/python3", server}}},
    };
    for (const auto& pool : pools) {
        CAPTURE(pool.dump());
        ConfigFile config;
        config.pool.update(pool);
        config.pool["listen"] = "unix:@" + name;
        config.write();
        UsherProcess usher{config.run()};
        usher.wait_until_ready(2);
        HttpClient client{usher::sys::SocketAddress::unix_name(name)};
        client.send_get("/");
        CHECK(client.read_answer().head.find("200") != std::string::npos);
        CHECK(usher.stop() == usher::sys::ExitStatus{});
    }
}

TEST_CASE("the file of a Unix socket is its owner's, and a reload gives it to another" *
          doctest::skip(::geteuid() != 0))
{
    ConfigFile config;
    const auto path = config.in_folder("a.sock");
    const auto owner = [&] {
        struct stat status {};
        REQUIRE(::lstat(path.c_str(), &status) == 0);
        return std::pair{status.st_uid, status.st_gid};
    };
    config.pool["listen"] = {{"address", "unix:" + path}, {"owner", "nobody"}, {"group", 12}};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const auto first = owner();
    CHECK(first.first != 0);
    CHECK(first.second == 12);

    config.pool["listen"]["owner"] = 0;
    config.pool["listen"]["group"] = 13;
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(eventually([&] { return owner() == std::pair{uid_t{0}, gid_t{13}}; })); // by a thread
    CHECK(usher.stop() == usher::sys::ExitStatus{});
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("sockets whose files somebody has removed come back in every dialect")
{
    ConfigFile config;
    const auto node_server = source_folder() + "/tests/node/server.js";
    std::vector<std::string> paths;
    const auto add = [&](const std::string& name, nlohmann::json pool) {
        paths.push_back(config.in_folder(name + ".sock"));
        const auto address = "unix:" + paths.back();
        pool["name"] = name;
        pool["workers"] = 1;
        if (pool["dialect"] == "node")
            pool["command"] = {node_program(), node_server, address};
        else
            pool["listen"] = address;
        config.more_pools.push_back(std::move(pool));
    };
    add("preload",
        {{"dialect", "preload"},
         {"command",
          {node_program(), "-e", "require('http').createServer((q, a) => a.end()).listen(8080)"}}});
    add("node", {{"dialect", "node"}});
    add("listen-fds",
        {{"dialect", "listen-fds"},
         {"command", {"/usr/bin/python3", source_folder() + "/tests/listen_fds/server.py"}}});
    add("node-none", {{"dialect", "node"}, {"node", {{"policy", "none"}}}});
    constexpr std::size_t by_usher = 2; // it accepts for the first two, workers for the others
    config.pool["workers"] = 1;
    config.pool["listen"] = "unix:" + config.in_folder("native.sock");
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(5);
    const auto check_served = [&](std::size_t pools) {
        for (std::size_t i = 0; i < pools; ++i) {
            CAPTURE(paths[i]);
            HttpClient client{paths[i]};
            client.send_get("/");
            CHECK(client.read_answer().head.find("200") != std::string::npos);
        }
    };
    const auto remove_all = [&] {
        for (const auto& path : paths)
            CHECK(std::filesystem::remove(path));
    };
    const auto reload = [&] {
        const auto result = usher.command({"reload"});
        CAPTURE(result.output);
        CHECK(result.code == 0);
    };
    check_served(paths.size());

    remove_all();
    CHECK(usher.command({"reload", "--dry-run"}).code == 0);
    constexpr std::chrono::seconds more_than_a_minute{100};
    usher.wait_for_count("of a Unix socket, which was opened anew: unix:", by_usher,
                         more_than_a_minute);
    usher.wait_for_count("reload usher: new workers get one that is opened anew",
                         paths.size() - by_usher);
    check_served(by_usher);
    reload();
    check_served(paths.size());

    remove_all();
    reload();
    check_served(paths.size());

    // Such a worker must go, although nothing in its configuration has changed.
    auto& pool = config.more_pools[2];
    pool["drain_timeout"] = "20s";
    config.write();
    std::filesystem::remove(paths[2]);
    CHECK(usher.command({"reload", "--dry-run"})
              .output.find("pool \"listen-fds\": generation 4 "
                           "replaces generation 3") != std::string::npos);
    reload();
    check_served(paths.size());
    CHECK(usher.stop() == usher::sys::ExitStatus{});
    for (const auto& path : paths)
        CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("where usher itself listens, it says so")
{
    ConfigFile config;
    const auto port = std::to_string(free_port());
    config.pool["listen"] = "localhost:" + port;
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const auto reload = [&] {
        config.write();
        const auto result = usher.command({"reload"});
        CHECK(result.code == 3);
        CHECK(result.output.find("another process") == std::string::npos);
        return result.output;
    };

    config.pool["listen"] = {"localhost:" + port, "127.0.0.1:" + port};
    CHECK(reload().find("127.0.0.1:" + port + ": pool \"default\" listens there already, on ") !=
          std::string::npos);

    config.pool["listen"] = "localhost:0";
    config.more_pools = {config.pool};
    config.more_pools[0]["name"] = "api";
    config.more_pools[0]["listen"] = "127.0.0.1:" + port;
    CHECK(reload().find("127.0.0.1:" + port + ": pool \"default\" still listens there") !=
          std::string::npos);
    CHECK(get(static_cast<std::uint16_t>(std::stoul(port)), "/").ok());
    CHECK(usher.stop() == usher::sys::ExitStatus{});

    config.more_pools = nlohmann::json::array();
    config.pool["listen"] = {port, "127.0.0.1:" + port};
    config.write();
    UsherProcess twice{config.run()};
    CHECK(twice.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 2});
    CHECK(twice.count("127.0.0.1:" + port + " is where \"" + port + "\" listens already") == 1);
}

TEST_SUITE_END();

} // namespace usher::listeners_test
