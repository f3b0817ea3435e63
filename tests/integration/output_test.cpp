// SPDX-License-Identifier: MIT
#include "tests/support/chatter.hpp"
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/line_check.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::output_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr usher::sys::ExitStatus success{};

/// One pool whose members are `pool`; its control socket and files are in `folder`.
class Setup {
public:
    explicit Setup(json pool)
    {
        pool["listen"] = "127.0.0.1:0";
        write(std::move(pool));
    }

    void write(json pool)
    {
        pool["listen"] = "127.0.0.1:0";
        std::ignore =
            folder_.write("usher.json", json{{"pools", json::array({std::move(pool)})}}.dump());
    }

    [[nodiscard]] std::vector<std::string> arguments() const
    {
        return {"run", "--config", (folder_.path() / "usher.json").string()};
    }

private:
    TempDir folder_;
};

std::string shell(const std::string& script)
{
    return script + "\nexec \"$0\"";
}

json run_script(const std::string& script)
{
    return {{"command", {"/bin/sh", "-c", script, demo_program()}},
            {"workers", 1},
            {"restart", {{"first_delay", "10s"}}}};
}

} // namespace

TEST_SUITE_BEGIN("output");

TEST_CASE("each line of a worker says which worker wrote it, and a last one needs no end")
{
    const Setup setup{run_script(shell("echo to output; echo to errors >&2; printf partial >&2"))};
    UsherProcess usher{setup.arguments()};
    usher.wait_until_ready(1);
    usher.wait_for("[default/1] to output\n");
    usher.wait_for("[default/1] to errors\n");
    CHECK(usher.count("partial") == 0);
    CHECK(usher.stop() == success);
    CHECK(usher.count("[default/1] partial\n") == 1);
}

TEST_CASE("what a worker wrote before SIGKILL is there, once")
{
    const Setup setup{run_script(R"(
        i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo "line $i."; done; printf last; kill -9 $$$$)")};
    UsherProcess usher{setup.arguments()};
    usher.wait_for("killed by SIGKILL");
    std::istringstream log{usher.log()};
    std::map<std::string, int> seen;
    for (std::string line; std::getline(log, line);)
        ++seen[line];
    for (int i = 1; i <= 2000; ++i)
        REQUIRE(seen["[default/1] line " + std::to_string(i) + "."] == 1);
    CHECK(seen["[default/1] last"] == 1);
}

TEST_CASE("with \"inherit\" workers have the master's own descriptors")
{
    auto pool = run_script(shell("echo plain >&2"));
    pool["output"] = "inherit";
    const Setup setup{pool};
    UsherProcess usher{setup.arguments()};
    usher.wait_until_ready(1);
    usher.wait_for("plain\n");
    CHECK(usher.count("] plain") == 0);
}

TEST_CASE("several pools may write to what usher was started with, also if that is a socket")
{
    std::array<int, 2> ends{}; // as from systemd, whose journal is one
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    const usher::sys::UniqueFd journal{ends[0]};
    const usher::sys::UniqueFd output{ends[1]};
    ConfigFile config;
    config.pool["name"] = "a";
    config.pool["workers"] = 1;
    config.pool["command"] = {"/bin/sh", "-c", "echo out; echo err >&2; exec \"$0\"",
                              demo_program()};
    config.pool["output"] = {{"file", "/dev/stdout"}, {"max_size", "1KiB"}};
    auto other = config.pool;
    other["name"] = "b";
    other["output"] = {{"file", "/proc/self/fd/1"}, {"errors", "/dev/stderr"}};
    config.more_pools.push_back(other);
    config.write();
    UsherProcess usher{config.run(), [&] { ::dup2(output.get(), STDOUT_FILENO); }};
    usher.wait_until_ready(2);
    usher.wait_for("[b/1] err\n");
    std::string text;
    REQUIRE(eventually([&] {
        std::string some(1 << 12, '\0');
        const auto size = ::recv(journal.get(), some.data(), some.size(), MSG_DONTWAIT);
        text.append(some, 0, size > 0 ? static_cast<std::size_t>(size) : 0);
        return std::ranges::count(text, '\n') == 3;
    }));
    for (const auto* const line : {"[a/1] out\n", "[a/1] err\n", "[b/1] out\n"})
        CHECK(text.find(line) != std::string::npos);
    CHECK(usher.count("[b/1] out") == 0);
    CHECK(usher.stop() == success);
    CHECK(usher.count("lost") == 0);
}

TEST_CASE("a file that somebody else cuts is not renamed for what was in it")
{
    const Chatter chatter;
    const Setup setup{chatter.pool(1, 5, {{"file", chatter.log()}, {"max_size", "64KiB"}})};
    UsherProcess usher{setup.arguments()};
    usher.wait_until_ready(1);
    for (int i = 0; i < 3; ++i) { // more than fits in all
        REQUIRE(eventually([&] { return fs::file_size(chatter.log()) > 40'000; }, 60s));
        fs::resize_file(chatter.log(), 0);
    }
    CHECK_FALSE(fs::exists(chatter.log() + ".1"));
    CHECK(usher.stop() == success);
}

TEST_CASE("in JSON each line says whose it is, usher's own as well, and a reload changes that")
{
    ConfigFile config;
    config.top["log_format"] = "json";
    config.pool["workers"] = 1;
    config.pool["command"] = {"/bin/sh", "-c", "echo out; printf '\"err' >&2; exec \"$0\" 2>&-",
                              demo_program()};
    config.pool["output"] = {{"format", "json"}};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_for("\"event\":\"ready\"");
    usher.wait_for("\"line\":\"out\"");
    CHECK(usher.stop() == success);

    std::istringstream lines{usher.log()};
    std::map<std::string, json> workers;
    json ready;
    for (std::string text; std::getline(lines, text);) {
        CAPTURE(text);
        const auto line = json::parse(text);
        CHECK(line.contains("time"));
        if (line.contains("line"))
            workers[line.at("stream")] = line;
        else
            CHECK(line.at("message").is_string());
        if (line.value("event", "") == "ready")
            ready = line;
    }
    CHECK(ready.at("level") == "info");
    CHECK(ready.at("pool") == "default");
    CHECK(ready.at("slot") == 1);
    CHECK(ready.at("master") == usher.pid());
    CHECK(workers.at("stdout").at("line") == "out");
    CHECK(workers.at("stderr").at("line") == "\"err");
    for (const auto& [stream, line] : workers) {
        CHECK(line.at("pid") == ready.at("pid"));
        CHECK(line.at("slot") == 1);
    }
}

TEST_CASE("--log-format is about usher's own lines, wins over the file, and stays so")
{
    ConfigFile config;
    config.top["log_format"] = "json";
    config.write();
    auto arguments = config.run();
    arguments.insert(arguments.end(), {"--log-format", "text"});
    UsherProcess usher{arguments};
    usher.wait_until_ready(2);
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(usher.stop() == success);
    CHECK(usher.count("{\"") == 0);

    UsherProcess by_file{config.run()};
    by_file.wait_for_count("\"event\":\"ready\"", 2);
    config.top["log_format"] = "text";
    config.write();
    CHECK(by_file.command({"reload"}).code == 0);
    CHECK(by_file.stop() == success);
    CHECK(by_file.count(" info: stopped") == 1);
}

TEST_CASE("a file that cannot be opened is named, and the worker is not started")
{
    auto pool = run_script(shell(""));
    pool["output"] = {{"file", "/no-such-folder/log"}};
    pool["start_attempts"] = 1;
    const Setup setup{pool};
    UsherProcess usher{setup.arguments()};
    CHECK(usher.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 1});
    CHECK(usher.count("cannot be started: /no-such-folder/log: No such file or directory") >= 1);
}

TEST_CASE("a reload that fails shows what the new worker wrote last")
{
    const TempDir logs;
    auto pool = run_script(shell(""));
    pool["output"] = {{"file", (logs.path() / "log").string()}};
    Setup setup{pool};
    UsherProcess usher{setup.arguments()};
    usher.wait_until_ready(1);

    pool["command"][2] =
        "i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo reason $i. >&2; done; exit 3";
    setup.write(pool);
    usher.signal(SIGHUP);
    usher.wait_for("reload failed, nothing has changed");
    CHECK(usher.count("worker 1: wrote: reason 10.\n") == 0);
    CHECK(usher.count("worker 1: wrote: reason 11.\n") == 1);
    CHECK(usher.count("worker 1: wrote: reason 30.\n") == 1);
}

TEST_CASE("50,000 lines a second, rotation, kills and reloads: each line is there once, in order")
{
    const Chatter chatter;
    const Setup setup{
        chatter.pool(4, 125, {{"file", chatter.log()}, {"max_size", "1MiB"}, {"max_files", 1000}})};
    UsherProcess usher{setup.arguments()};
    usher.wait_until_ready(4);

    for (unsigned round = 0; round < 16; ++round) {
        const auto enough = chatter.total() + 12'000;
        REQUIRE(eventually([&] { return chatter.total() >= enough; }));
        ::kill(usher.worker_pid(1 + round % 4), SIGKILL);
        if (round % 5 == 4)
            usher.signal(SIGHUP);
    }
    CHECK(usher.stop() == success);

    const auto files = chatter.files();
    CHECK(files.size() > 2);
    LineCheck check;
    for (const auto& file : files) {
        CHECK(fs::file_size(file) <= 1024 * 1024);
        check.see_file(file);
    }
    CHECK(chatter.written().size() >= 16);
    check.check_all(chatter);
    CHECK(usher.count("lost") == 0);
}

TEST_CASE("after SIGUSR1 the lines go to a new file, and none is lost")
{
    const Chatter chatter;
    const Setup setup{chatter.pool(2, 5, {{"file", chatter.log()}})};
    UsherProcess usher{setup.arguments()};
    usher.wait_until_ready(2);
    REQUIRE(eventually([&] { return fs::file_size(chatter.log()) > 1000; }));

    const auto moved = chatter.log() + ".moved";
    fs::rename(chatter.log(), moved);
    usher.signal(SIGUSR1);
    usher.wait_for("SIGUSR1: opening the log files anew");
    REQUIRE(
        eventually([&] { return fs::exists(chatter.log()) && fs::file_size(chatter.log()) > 0; }));
    const auto size = fs::file_size(moved);
    CHECK(usher.stop() == success);

    CHECK(fs::file_size(moved) == size);
    LineCheck check;
    check.see_file(moved);
    check.see_file(chatter.log());
    check.check_all(chatter);
}

TEST_CASE("with on_full \"drop\" workers go on while nobody reads, and each line is counted")
{
    const Chatter chatter;
    REQUIRE(::mkfifo(chatter.log().c_str(), 0600) == 0);
    const Setup setup{
        chatter.pool(1, 500, {{"file", chatter.log()}, {"on_full", "drop"}}, 200'000)};
    // A reader that reads only when all is over.
    const usher::sys::UniqueFd fifo{
        ::open(chatter.log().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    UsherProcess usher{setup.arguments()};
    usher.wait_for("lines lost", 60s);
    REQUIRE(eventually([&] { return chatter.total() == 200'000; }, 60s));
    CHECK(usher.stop() == success);

    std::string text(1 << 20, '\0');
    const auto size = ::read(fifo.get(), text.data(), text.size());
    REQUIRE(size > 0);
    const auto arrived = std::count(text.begin(), text.begin() + size, '\n');

    const auto log = usher.log();
    const auto at = log.rfind(" in all: ");
    REQUIRE(at != std::string::npos);
    const auto lost = std::stol(log.substr(log.rfind(' ', at - 1)));
    CHECK(arrived + lost == chatter.total());
    CHECK(usher.count("lines lost") <= 4); // one at once, then every 10 s, and one at the end
}

TEST_CASE("with on_full \"block\" a worker waits for the reader, and nothing is lost")
{
    const Chatter chatter;
    REQUIRE(::mkfifo(chatter.log().c_str(), 0600) == 0);
    const Setup setup{chatter.pool(1, 500, {{"file", chatter.log()}}, 200'000)};
    const usher::sys::UniqueFd fifo{
        ::open(chatter.log().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    UsherProcess usher{setup.arguments()};
    usher.wait_until_ready(1);
    long before = -1;
    REQUIRE(eventually(
        [&] { // until it stands still
            std::this_thread::sleep_for(300ms);
            return chatter.total() > 0 && std::exchange(before, chatter.total()) == chatter.total();
        },
        60s));
    CHECK(chatter.total() < 200'000);

    LineCheck check;
    std::string carry;
    REQUIRE(eventually(
        [&] {
            std::string text(1 << 16, '\0');
            const auto size = ::read(fifo.get(), text.data(), text.size());
            carry.append(text, 0, size > 0 ? static_cast<std::size_t>(size) : 0);
            for (std::size_t end; (end = carry.find('\n')) != std::string::npos;) {
                check.see(carry.substr(0, end));
                carry.erase(0, end + 1);
            }
            return check.lines() == 200'000;
        },
        60s));
    check.check_all(chatter);
    CHECK(usher.stop() == success);
    CHECK(usher.count("lines lost") == 0);
}

TEST_SUITE_END();

} // namespace usher::output_test
