// SPDX-License-Identifier: MIT
// The event loop waits for nobody: each thing that may hang does, and other pools go on.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/from_environment.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/node_programs.hpp"
#include "tests/support/node_site.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/slack.hpp"
#include "tests/support/touch.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::held_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds longest_gap = 1s + slack / 10;
constexpr auto held_for = 5s;
static_assert(held_for > longest_gap); // so that a loop that waits along shows

/// A pool that serves under load, and calls of its master that can be made to hang.
class Scene : public ConfigFile {
public:
    Scene()
    {
        pool["name"] = "web";
        write();
    }
    ~Scene()
    {
        for (const auto& file : fs::directory_iterator{calls_.path()})
            fs::remove(file);
    }

    UsherProcess& start(std::size_t workers = 2)
    {
        usher_.emplace(run(), [this] {
            ::setenv("LD_PRELOAD", from_environment("USHER_TEST_HOLD_CALLS").c_str(), 1);
            ::setenv("HOLD_CALLS", calls_.path().c_str(), 1);
            const char* const options = std::getenv("ASAN_OPTIONS");
            const auto relaxed =
                std::string{options != nullptr ? options : ""} + ":verify_asan_link_order=0";
            ::setenv("ASAN_OPTIONS", relaxed.c_str(), 1);
        });
        usher_->wait_until_ready(workers);
        load_.emplace(usher_->port(), 2U, Load::Mode::get);
        load_->wait_for(10);
        return *usher_;
    }

    /// Another pool, whose program is a link to `program`.
    json& add_pool(const std::string& link, const std::string& program)
    {
        fs::create_symlink(program, in_folder(link));
        more_pools.push_back({{"name", link},
                              {"command", {in_folder(link)}},
                              {"workers", 1},
                              {"listen", "127.0.0.1:0"},
                              {"restart", {{"first_delay", "50ms"}}}});
        return more_pools.back();
    }

    /// The worker of such a pool.
    pid_t pid_of(const std::string& link)
    {
        const auto status = json::parse(usher_->command({"status", "--json"}).output);
        for (const auto& each : status.at("pools"))
            if (each.at("name") == link)
                return each.at("workers").at(0).at("pid");
        return 0;
    }

    void hold(const std::string& call) { touch(calls_.path() / call); }
    void wait_until_held(const std::string& call)
    {
        REQUIRE(eventually([&] { return fs::exists(calls_.path() / (call + ".held")); }, 20s));
    }
    void release(const std::string& call)
    {
        fs::remove(calls_.path() / (call + ".held"));
        fs::remove(calls_.path() / call);
    }

    void stop_load() { load_->stop(); }

    /// Lets clients go on while something hangs, and looks whether they noticed.
    void check_load()
    {
        std::this_thread::sleep_for(held_for);
        const auto gap = load_->longest_gap();
        MESSAGE("longest gap: ", gap.count(), " ms");
        CHECK(gap < longest_gap);
        load_->stop();
        CHECK(load_->first_problem() == "");
    }

    /// The same while `call` hangs, which it does then for long enough.
    void check_held(const std::string& call)
    {
        wait_until_held(call);
        check_load();
        release(call);
    }

private:
    TempDir calls_;
    std::optional<UsherProcess> usher_;
    std::optional<Load> load_;
};

std::string own_name()
{
    return ::getpwuid(::geteuid())->pw_name;
}

} // namespace

TEST_SUITE_BEGIN("held");

TEST_CASE_FIXTURE(Scene, "a configuration file that is a FIFO holds up its reload alone")
{
    auto& usher = start();
    std::ifstream file{path()};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    fs::remove(path());
    REQUIRE(::mkfifo(path().c_str(), 0600) == 0);
    usher.signal(SIGHUP);
    usher.wait_for("reload started");
    check_load();
    CHECK(usher.count("reload done") == 0);
    write_text(text);
    usher.wait_for("reload done");
}

TEST_CASE_FIXTURE(Scene, "a file of variables that does not answer holds up its reload alone")
{
    auto& usher = start();
    const TempDir folder;
    pool["env_file"] = folder.write("app.env", "A=1");
    write();
    hold("open.app.env");
    usher.signal(SIGHUP);
    check_held("open.app.env");
    usher.wait_for("reload done");
}

TEST_CASE_FIXTURE(Scene, "a folder that does not answer holds up those alone who watch it")
{
    const TempDir folder;
    fs::create_directory(folder.path() / "watched");
    pool["watch"] = (folder.path() / "watched").string();
    write();
    hold("inotify_add_watch.watched");
    auto& usher = start();
    check_held("inotify_add_watch.watched");
    std::ignore = folder.write("watched/a", "");
    // It is not known when it has looked through the folder.
    CHECK(eventually([&] {
        std::ignore = folder.write("watched/a", "");
        return usher.count("changed; restarting its workers") > 0;
    }));
}

TEST_CASE_FIXTURE(Scene, "a resolver that does not answer holds up its reload alone")
{
    auto& usher = start();
    pool["listen"] = {"127.0.0.1:0", "localhost:0"};
    write();
    hold("getaddrinfo.localhost");
    usher.signal(SIGHUP);
    check_held("getaddrinfo.localhost");
    usher.wait_for("reload done");
}

TEST_CASE_FIXTURE(Scene, "a resolver that does not answer holds up its dry run alone")
{
    auto& usher = start();
    pool["listen"] = {"127.0.0.1:0", "localhost:0"};
    write();
    hold("getaddrinfo.localhost");
    std::optional<UsherProcess::CommandResult> result;
    std::jthread command{[&] { result = usher.command({"reload", "--dry-run"}); }};
    check_held("getaddrinfo.localhost");
    command.join();
    CHECK(result->code == 0);
    CHECK(result->output.find("opens localhost:0") != std::string::npos);
}

TEST_CASE_FIXTURE(Scene, "a directory service that does not answer holds up its reload alone")
{
    auto& usher = start();
    pool["user"] = own_name();
    write();
    hold("getpwnam_r." + own_name());
    usher.signal(SIGHUP);
    check_held("getpwnam_r." + own_name());
    usher.wait_for("reload done");
}

TEST_CASE_FIXTURE(Scene,
                  "a number of processors that cannot be known now holds up its reload alone")
{
    pool["cgroup"] = "off"; // or its workers' starts would look there, too
    auto& other = add_pool("other", demo_program());
    other["cgroup"] = "off";
    write();
    auto& usher = start(3);
    other["workers"] = "auto";
    write();
    hold("open.mountinfo");
    usher.signal(SIGHUP);
    check_held("open.mountinfo");
    usher.wait_for("reload done");
}

TEST_CASE_FIXTURE(Scene, "a program on a disk that does not answer holds up its own pool alone")
{
    add_pool("stuck", demo_program());
    write();
    std::string call;
    SUBCASE("when it is executed")
    {
        call = "execve.stuck";
    }
    SUBCASE("when it is looked for")
    {
        call = "access.stuck";
    }
    auto& usher = start(3);
    hold(call);
    REQUIRE(::kill(pid_of("stuck"), SIGKILL) == 0);
    check_held(call);
    usher.wait_until_ready(4);
}

TEST_CASE_FIXTURE(Scene, "a start that hangs fails after start_timeout, and the next one succeeds")
{
    add_pool("stuck", demo_program())["start_timeout"] = "2s";
    write();
    std::string call;
    SUBCASE("when it is executed")
    {
        call = "execve.stuck";
    }
    SUBCASE("when it is looked for")
    {
        call = "access.stuck";
    }
    auto& usher = start(3);
    hold(call);
    REQUIRE(::kill(pid_of("stuck"), SIGKILL) == 0);
    usher.wait_for("worker stuck/1: cannot be started: " + in_folder("stuck") +
                   ": cannot be executed in time");
    CHECK(eventually([&] { return children_of(usher.pid()).size() == 2; }));
    release(call);
    usher.wait_until_ready(4);
}

TEST_CASE_FIXTURE(Scene, "a stop waits for nothing that hangs")
{
    add_pool("stuck", demo_program());
    write();
    auto& usher = start(3);
    std::string call;
    SUBCASE("a name that is looked up")
    {
        call = "getaddrinfo.localhost";
        pool["listen"] = {"127.0.0.1:0", "localhost:0"};
        write();
        hold(call);
        usher.signal(SIGHUP);
    }
    SUBCASE("a program that is executed")
    {
        call = "execve.stuck";
        hold(call);
        REQUIRE(::kill(pid_of("stuck"), SIGKILL) == 0);
    }
    SUBCASE("a program that is looked for")
    {
        call = "access.stuck";
        hold(call);
        REQUIRE(::kill(pid_of("stuck"), SIGKILL) == 0);
    }
    wait_until_held(call);
    stop_load();
    usher.signal(SIGTERM);
    CHECK(usher.wait(held_for + slack) == usher::sys::ExitStatus{});
}

TEST_CASE_FIXTURE(Scene, "a worker whose memory cannot be read now holds up nobody")
{
    pool["max_memory"] = "1GiB";
    write();
    hold("open.smaps_rollup");
    start();
    check_held("open.smaps_rollup");
}

TEST_CASE_FIXTURE(Scene, "a look at what a program waits for holds up that program alone")
{
    auto& other = add_pool("python", python_program());
    other["command"].push_back(source_folder() + "/tests/listen_fds/server.py");
    other["dialect"] = "listen-fds";
    write();
    auto& usher = start(3);
    hold("open.syscall");
    REQUIRE(::kill(pid_of("python"), SIGKILL) == 0);
    wait_until_held("open.syscall");
    check_load();
    usher.wait_until_ready(4); // after start_delay
    release("open.syscall");
}

TEST_CASE_FIXTURE(Scene, "a folder of Unix sockets that does not answer holds up its reload alone")
{
    auto& usher = start();
    const auto path = in_folder("slow.sock");
    add_pool("other", demo_program())["listen"] = "unix:" + path;
    write();
    hold("open.slow.sock.opening");
    SUBCASE("when it is done")
    {
        usher.signal(SIGHUP);
        check_held("open.slow.sock.opening");
        usher.wait_for("reload done");
        HttpClient client{path};
        client.send_get("/");
        CHECK(client.read_answer().ok());
    }
    SUBCASE("when it is asked for")
    {
        std::optional<UsherProcess::CommandResult> result;
        std::jthread command{[&] { result = usher.command({"reload", "--dry-run"}); }};
        check_held("open.slow.sock.opening");
        command.join();
        CHECK(result->code == 0);
        CHECK(eventually([&] { return !fs::exists(path); }));
    }
}

TEST_CASE_FIXTURE(Scene, "the file of a Unix socket that cannot be removed now holds up nobody")
{
    const auto path = in_folder("slow.sock");
    add_pool("other", demo_program())["listen"] = "unix:" + path;
    write();
    auto& usher = start(3);
    hold("unlink.slow.sock");
    SUBCASE("when its pool is taken away")
    {
        more_pools.clear();
        write();
        usher.signal(SIGHUP);
    }
    SUBCASE("when it is for no listener any more")
    {
        more_pools.back()["listen"] = "127.0.0.1:0";
        write();
        usher.signal(SIGHUP);
    }
    check_held("unlink.slow.sock");
    usher.wait_for("reload done");
    CHECK(eventually([&] { return !fs::exists(path); }));
}

TEST_CASE_FIXTURE(Scene, "whoever finds a socket's file is answered, also while it is removed")
{
    const auto path = in_folder("slow.sock");
    bool is_node = false;
    bool is_end = false;
    SUBCASE("of a native pool that a reload takes away") {}
    SUBCASE("of a native pool at the end")
    {
        is_end = true;
    }
    SUBCASE("of a Node pool that a reload takes away")
    {
        is_node = true;
    }
    SUBCASE("of a Node pool at the end")
    {
        is_node = is_end = true;
    }
    auto& other = add_pool("other", is_node ? node_program() : demo_program());
    other["listen"] = "unix:" + path;
    if (is_node) {
        other["dialect"] = "node";
        other["command"].push_back(NodeSite::script("server.js"));
        other["command"].push_back("unix:" + path);
    }
    write();
    auto& usher = start(3);
    hold("unlink.slow.sock");
    if (is_end) {
        stop_load();
    } else {
        more_pools.clear();
        write();
    }
    usher.signal(is_end ? SIGTERM : SIGHUP);
    wait_until_held("unlink.slow.sock");
    HttpClient client{path};
    client.send_get("/");
    CHECK(client.read_answer().ok());
    release("unlink.slow.sock");
    CHECK(eventually([&] { return !fs::exists(path); }));
}

TEST_CASE_FIXTURE(Scene, "a Unix socket is opened anew once the file that is being removed is gone")
{
    const auto path = in_folder("slow.sock");
    add_pool("other", demo_program())["listen"] = "unix:" + path;
    const auto pools = more_pools;
    write();
    auto& usher = start(3);
    stop_load();
    bool is_opened = false;
    for (int tries = 5; tries > 0 && !is_opened;
         --tries) { // on a busy machine it may wait too long
        hold("unlink.slow.sock");
        hold("open.slow.sock.opening");
        more_pools.clear();
        write();
        CHECK(usher.command({"reload"}).code == 0);
        wait_until_held("unlink.slow.sock");
        more_pools = pools;
        write();
        std::thread reload{[&] { is_opened = usher.command({"reload"}).code == 0; }};
        wait_until_held("open.slow.sock.opening");
        release("open.slow.sock.opening");
        std::this_thread::sleep_for(100ms); // it finds the old socket
        release("unlink.slow.sock");
        reload.join();
    }
    CHECK(is_opened);
    HttpClient client{path};
    client.send_get("/");
    CHECK(client.read_answer().ok());
}

TEST_CASE_FIXTURE(Scene, "what is made for a worker before its start holds up that start alone")
{
    std::string call;
    SUBCASE("its cgroup")
    {
        call = "open.mountinfo";
    }
    SUBCASE("the folder of its NOTIFY_SOCKET")
    {
        REQUIRE(::mkdir(in_folder("usher-inbox-abcdef").c_str(), 0711) == 0); // as of a dead usher
        REQUIRE(::chmod(in_folder("usher-inbox-abcdef").c_str(), 0711) == 0);
        REQUIRE(::chmod(in_folder("").c_str(), 0711) == 0);
        ::setenv("RUNTIME_DIRECTORY", in_folder("").c_str(), 1);
        call = "open.usher-inbox-abcdef";
    }
    auto& usher = start();
    ::unsetenv("RUNTIME_DIRECTORY");
    auto& other = add_pool("python", python_program());
    other["command"].push_back(source_folder() + "/tests/listen_fds/server.py");
    other["dialect"] = "listen-fds";
    write();
    hold(call);
    usher.signal(SIGHUP);
    check_held(call);
    usher.wait_for("reload done");
}

TEST_CASE_FIXTURE(Scene, "a log file on a disk that does not answer holds up its own pool alone")
{
    auto& other = add_pool("other", demo_program());
    write();
    auto& usher = start(3);
    other["output"] = {{"file", in_folder("slow.log")}};
    write();
    hold("open.slow.log");
    usher.signal(SIGHUP);
    check_held("open.slow.log");
    usher.wait_for("reload done");
}

TEST_CASE_FIXTURE(Scene, "a log file that cannot be opened in time fails the start, every time")
{
    auto& other = add_pool("other", demo_program());
    other["output"] = {{"file", in_folder("slow.log")}};
    write();
    auto& usher = start(3);
    other["output"] = {{"file", in_folder("dead.log")}};
    other["workers"] = 3;
    other["start_timeout"] = "1s";
    write();
    hold("open.dead.log");
    for (int i = 0; i < 2; ++i) {
        const auto result = usher.command({"reload", "--timeout", "10s"});
        CHECK(result.code == 1);
        CHECK(result.output.find(in_folder("dead.log") + ": cannot be opened in time") !=
              std::string::npos);
    }
    CHECK(std::stoi(status_of(usher.pid(), "Threads")) <=
          4); // with those of two logs: one that opens
    release("open.dead.log");
    CHECK(usher.command({"reload", "--timeout", "10s"}).code == 0);
}

TEST_CASE_FIXTURE(Scene, "a log file whose close waits holds up nobody")
{
    auto& other = add_pool("other", demo_program());
    other["output"] = {{"file", in_folder("old.log")}};
    write();
    auto& usher = start(3);
    other["output"] = {{"file", in_folder("new.log")}};
    write();
    REQUIRE(usher.command({"reload"}).code == 0);
    hold("close.old.log");
    REQUIRE(::kill(pid_of("other"), SIGKILL) == 0);
    check_held("close.old.log");
}

TEST_CASE_FIXTURE(Scene, "long tables of connections hold up the worker that drains alone")
{
    auto& other = add_pool("python", python_program());
    other["command"].push_back(source_folder() + "/tests/listen_fds/server.py");
    other["dialect"] = "listen-fds";
    write();
    auto& usher = start(3);
    HttpClient client{usher.port(1)};
    client.send("GET ");
    hold("open.tcp");
    REQUIRE(usher.command({"restart", "1", "--pool", "python"}).code == 0);
    check_held("open.tcp");
    client.close();
    usher.wait_for("SIGTERM, 0 still open");
}

TEST_SUITE_END();

} // namespace usher::held_test
