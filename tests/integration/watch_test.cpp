// SPDX-License-Identifier: MIT
// Files that change bring new workers.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/node_programs.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <unistd.h>

namespace usher::watch_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr usher::sys::ExitStatus success{};

void write(const std::string& path, std::string_view text)
{
    std::ofstream{path} << text;
}

/// As Vim and VS Code save: a new file takes the old one's place.
void save_by_rename(const std::string& path, std::string_view text)
{
    write(path + ".new~", text);
    fs::rename(path + ".new~", path);
}

std::string app(const std::string& greeting)
{
    return "const http = require('http');\n"
           "http.createServer((request, response) => response.end('" +
           greeting + "')).listen(0, '127.0.0.1');\n";
}

/// A Node program in a folder, two workers of which are restarted when something in it changes.
struct Site {
    TempDir folder;
    ConfigFile config;

    explicit Site(const json& watch)
    {
        write(path("app.js"), app("first"));
        config.pool = {{"command", {node_program(), path("app.js")}},
                       {"dialect", "node"},
                       {"workers", 2},
                       {"stop_grace", "1s"},
                       {"drain_timeout", "1s"},
                       {"watch", watch}};
        config.write();
    }

    [[nodiscard]] std::string path(const std::string& name) const { return folder.path() / name; }
};

/// True once all workers, which take turns, give this answer.
bool answers(UsherProcess& usher, const std::string& greeting)
{
    return eventually([&] {
        for (int i = 0; i < 4; ++i)
            if (get(usher.port(), "/").body != greeting)
                return false;
        return true;
    });
}

/// Demo workers; what is watched has nothing to do with them.
struct DemoThatWatches : ConfigFile {
    explicit DemoThatWatches(const json& watch)
    {
        pool["watch"] = watch;
        write();
    }
};

constexpr const char* watching = "pool \"default\": watching ";
constexpr const char* restarting = " changed; restarting its workers";

} // namespace

TEST_SUITE_BEGIN("watch");

TEST_CASE("a program that is changed is soon the one that answers, and no request is lost")
{
    Site site{nullptr};
    site.config.pool["watch"] = site.folder.path();
    site.config.write();
    UsherProcess usher{site.config.run()};
    usher.wait_until_ready(2);
    usher.wait_for(watching);
    CHECK(answers(usher, "first"));
    {
        Load load{usher.port(), 2, Load::Mode::get};
        load.wait_for(20);
        write(site.path("app.js"), app("second"));
        CHECK(answers(usher, "second"));
        save_by_rename(site.path("app.js"), app("third"));
        CHECK(answers(usher, "third"));
        load.wait_for(20);
        load.stop();
        CHECK_MESSAGE(load.problems() == 0, load.first_problem());
    }
    usher.wait_for("pool \"default\": " + site.path("app.js") + restarting);
    usher.wait_until_ready(6); // both are of the third

    SUBCASE("one that cannot run leaves those that serve as they are, until it can")
    {
        write(site.path("app.js"), "syntax error");
        usher.wait_for("pool \"default\": its workers stay as they are: ");
        CHECK(get(usher.port(), "/").body == "third");
        write(site.path("app.js"), app("fourth"));
        CHECK(answers(usher, "fourth"));
    }
    SUBCASE("usher ends in order")
    {
        write(site.path("app.js"), app("fifth"));
    }
    CHECK(usher.stop() == success);
}

TEST_CASE("a program that cannot start is tried again when it has been changed")
{
    Site site{nullptr};
    write(site.path("app.js"), "syntax error");
    site.config.pool["watch"] = site.folder.path();
    site.config.pool["start_attempts"] = 1;
    site.config.write();
    UsherProcess usher{site.config.run()};
    usher.wait_for_count("given up", 2);
    usher.wait_for(watching);
    SUBCASE("until it can")
    {
        write(site.path("app.js"), "another syntax error");
        usher.wait_for("reload failed");
        write(site.path("app.js"), app("first"));
        usher.wait_for("reload done");
        CHECK(get(usher.port(), "/").body == "first");
    }
    SUBCASE("and usher can be stopped meanwhile")
    {
        CHECK(usher.command({"status"}).code == 0);
    }
    CHECK(usher.stop() == success);
}

TEST_CASE("the change of a file is said once, with its path from where usher was started")
{
    const TempDir folder;
    fs::create_directory(folder.path() / "src");
    UsherProcess usher{{"run", "--listen", "127.0.0.1:0", "--workers", "2", "--watch", "src",
                        "--watch", "./package.json", "--", demo_program()},
                       [&] { std::ignore = ::chdir(folder.path().c_str()); }};
    usher.wait_until_ready(2);
    usher.wait_for(watching);
    SUBCASE("in a folder")
    {
        for (int i = 0; i < 100; ++i)
            write(folder.path() / "src/app.js", std::to_string(i));
        usher.wait_for("pool \"default\": src/app.js changed; restarting its workers");
        usher.wait_until_ready(4);
    }
    SUBCASE("a file that was not there before")
    {
        write(folder.path() / "package.json", "{}");
        usher.wait_for("pool \"default\": package.json changed; restarting its workers");
        usher.wait_until_ready(4);
        save_by_rename(folder.path() / "package.json", "{ }");
        usher.wait_until_ready(6);
    }
    SUBCASE("in a folder that is new, also below others that are new")
    {
        fs::create_directories(folder.path() / "src/a/b/c");
        write(folder.path() / "src/a/b/c/app.js", "");
        usher.wait_until_ready(4);
        write(folder.path() / "src/a/b/other.js", "");
        usher.wait_for("src/a/b/other.js changed");
        usher.wait_until_ready(6);
    }
    SUBCASE("a folder that is removed and made again")
    {
        fs::remove_all(folder.path() / "src");
        fs::create_directory(folder.path() / "src");
        write(folder.path() / "src/new.js", "");
        usher.wait_for(restarting);
        usher.wait_until_ready(4);
    }
    CHECK(usher.count("src/app.js changed") < 10); // of a hundred; a busy machine parts them
    CHECK(usher.stop() == success);
}

TEST_CASE("what is ignored restarts nobody, nor does usher's own log file")
{
    const TempDir folder;
    for (const char* const name : {"node_modules", ".git", "gen"})
        fs::create_directory(folder.path() / name);
    DemoThatWatches file(json{{"paths", {folder.path()}},
                              {"ignore", {"*.log", folder.path() / "gen"}},
                              {"delay", "50ms"}});
    file.pool["command"] = {"/bin/sh", "-c", "echo I am new; exec \"$0\"", demo_program()};
    file.pool["output"] = {{"file", folder.path() / "out-${slot}"}, {"max_size", 1024}};
    file.write();
    UsherProcess usher{file.run()};
    usher.wait_until_ready(2);
    usher.wait_for(watching);
    for (const char* const name : {"node_modules/a.js", ".git/HEAD", "gen/a.js", "a.log", "4913",
                                   ".app.js.swp", "app.js~", ".#app.js"})
        write(folder.path() / name, "x");
    fs::create_directories(folder.path() / "sub/__pycache__");
    write(folder.path() / "sub/__pycache__/a.pyc", "x");
    std::this_thread::sleep_for(500ms);
    CHECK(usher.count(restarting) == 0);

    write(folder.path() / "app.js", "x");
    usher.wait_until_ready(4);
    std::this_thread::sleep_for(500ms);
    CHECK(usher.count(restarting) == 1);
}

TEST_CASE("a reload begins, changes and ends watching")
{
    const TempDir folder;
    DemoThatWatches config(json::array());
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const auto file = (folder.path() / "a").string();
    write(file, "");

    config.pool["watch"] = {{"paths", {folder.path()}}};
    config.pool["max_queue"] = 7; // so that the workers stay
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    usher.wait_for(watching);
    CHECK(usher.count(restarting) == 0);
    write(file, "");
    usher.wait_until_ready(4);

    config.pool["watch"] = json::array();
    config.pool["max_queue"] = 8;
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    write(file, "");
    std::this_thread::sleep_for(500ms);
    CHECK(usher.count(restarting) == 1);
}

TEST_CASE("what changes while workers are restarted restarts them once more")
{
    const TempDir folder;
    DemoThatWatches config(json{{"paths", {folder.path()}}, {"delay", "10ms"}});
    // Each takes a while to start.
    config.pool["command"] = {"/bin/sh", "-c", "sleep 0.5; exec \"$0\"", demo_program()};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    usher.wait_for(watching);
    write(folder.path() / "first", "");
    usher.wait_for("first changed");
    for (const char* const name : {"second", "third", "fourth"}) {
        write(folder.path() / name, "");
        std::this_thread::sleep_for(50ms);
    }
    usher.wait_for("second changed");
    usher.wait_until_ready(6);
    std::this_thread::sleep_for(300ms);
    CHECK(usher.count(restarting) == 2);
}

TEST_CASE("a flood of changes keeps nobody from being served")
{
    const TempDir folder;
    DemoThatWatches config(json{{"paths", {folder.path()}}});
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    Load load{port, 2, Load::Mode::get};
    load.wait_for(10);
    for (int i = 0; i < 20'000; ++i) // more than the kernel keeps in mind
        write(folder.path() / std::to_string(i % 100), "x");
    load.wait_for(10);
    usher.wait_until_ready(4);
    load.wait_for(10);
    load.stop();
    CHECK_MESSAGE(load.problems() == 0, load.first_problem());
    CHECK(usher.stop() == success);
}

TEST_CASE("a path that cannot be watched is said, and usher serves all the same")
{
    UsherProcess usher{{"run", "--listen", "127.0.0.1:0", "--workers", "1", "--watch",
                        "/no-such-folder/src", "--", demo_program()}};
    usher.wait_until_ready(1);
    usher.wait_for("pool \"default\": watch: \"/no-such-folder/src\" cannot be watched: "
                   "/no-such-folder: No such file or directory");
    CHECK(get(usher.port(), "/").ok());
    CHECK(usher.stop() == success);
}

TEST_SUITE_END();

} // namespace usher::watch_test
