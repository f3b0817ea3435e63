// SPDX-License-Identifier: MIT
// What people write into the configuration, and what the workers get of it.
#include "common/sys/fd/unique_fd.hpp"
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::settings_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr usher::sys::ExitStatus success{};

/// A worker that first says what `words` are to a shell.
json say(const std::string& words)
{
    return {"/bin/sh", "-c", "echo \"" + words + "\"; exec \"$0\"", demo_program()};
}

std::string text_of(const std::string& path)
{
    std::ifstream in{path};
    return {std::istreambuf_iterator<char>{in}, {}};
}

bool has_open(pid_t pid, const std::string& path)
{
    return std::ranges::any_of(fs::directory_iterator{"/proc/" + std::to_string(pid) + "/fd"},
                               [&](const auto& entry) {
                                   std::error_code gone;
                                   return fs::read_symlink(entry.path(), gone) == path;
                               });
}

} // namespace

TEST_SUITE_BEGIN("settings");

TEST_CASE("a file with comments and variables runs, by the environment of usher's start")
{
    const ConfigFile config;
    config.write_text(R"(// what a person writes
        {"pools": [{
            "command": ["/bin/sh", "-c", "echo $SAID, shell $$$$.; exec $0", "${DEMO}"], /* here */
            "workers": "${COUNT:-1}", "listen": "127.0.0.1:${PORT:-0}",
            "env": {"SAID": "${WORD} ${NONE:-nothing} $$5 $${WORD}"}}]})");
    const auto set = [] {
        ::setenv("DEMO", demo_program().c_str(), 1);
        ::setenv("COUNT", "2", 1);
        ::setenv("WORD", "hello", 1);
    };
    UsherProcess usher{config.run(), set};
    usher.wait_until_ready(2);
    usher.wait_for("[default/2] hello nothing $5 ${WORD}, shell ");
    CHECK(usher.count("shell $") == 0);

    usher.signal(SIGHUP);
    usher.wait_for("reload done");
    CHECK(usher.count("hello nothing") == 4);
    CHECK(usher.stop() == success);
}

TEST_CASE("a variable that is not set is an error of check, of the start and of a reload")
{
    ConfigFile config;
    config.write_text("{\"pools\": [{\n\"command\": [\"a\"], \"listen\": \"0\",\n"
                      "\"cwd\": \"${NO_SUCH}\"}]}");
    const std::string error = "/pools/0/cwd: line 3: the variable NO_SUCH is not set in usher's "
                              "environment; set it, or say what is meant without it, as in "
                              "${NO_SUCH:-default}";
    for (const char* const command : {"check", "run"}) {
        UsherProcess usher{{command, "--config", config.path()}};
        CHECK(usher.wait().code == 3);
        CHECK(usher.count(error) == 1);
    }
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    config.pool["cwd"] = "${NO_SUCH}";
    config.write();
    const auto [code, output] = usher.command({"reload"});
    CHECK(code == 3);
    CHECK(output.find("/pools/0/cwd: line 1: the variable NO_SUCH is not set") !=
          std::string::npos);
}

TEST_CASE("files of variables are read at the start and at every reload, and bring new workers")
{
    ConfigFile config;
    const auto file = config.in_folder("app.env");
    std::ofstream{file} << "# first\nexport A=\"one # x\"\nB='$A'\nC=file\n";
    config.pool["command"] = say("got $A, $B, $C.");
    config.pool["workers"] = 1;
    config.pool["env_file"] = file;
    config.pool["env"] = {{"C", "env"}};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(1);
    usher.wait_for("got one # x, $A, env.");

    // What changes is the file alone, beside a key that keeps the workers.
    std::ofstream{file} << "A=two\nB=\n";
    config.pool["max_queue"] = 7;
    config.write();
    CHECK(usher.command({"reload", "--dry-run"}).output.find("generation 2 replaces") !=
          std::string::npos);
    CHECK(usher.command({"reload"}).code == 0);
    usher.wait_for("got two, , env.");

    config.pool["max_queue"] = 8;
    config.write();
    CHECK(usher.command({"reload", "--dry-run"}).output.find("the workers stay") !=
          std::string::npos);

    std::ofstream{file} << "A=three\nsecret stuff\n";
    const auto bad = usher.command({"reload"});
    CHECK(bad.code == 3);
    CHECK(bad.output.find(file + ": line 2: has no =; write NAME=value") != std::string::npos);
    fs::remove(file);
    CHECK(usher.command({"reload"})
              .output.find(file + ": cannot be read: No such file or directory") !=
          std::string::npos);
    CHECK(get(usher.port(), "/").ok());
}

TEST_CASE("a FIFO as a file of variables is refused and not waited for")
{
    ConfigFile config;
    const auto fifo = config.in_folder("fifo");
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    config.pool["env_file"] = json::array({fifo});
    config.write();
    UsherProcess usher{{"check", "--config", config.path()}};
    CHECK(usher.wait().code == 3);
    CHECK(usher.count(fifo + ": is no regular file; name one") == 1);
}

TEST_CASE("a FIFO is checked if somebody writes to it, and otherwise not waited for")
{
    const TempDir folder;
    const auto fifo = (folder.path() / "fifo").string();
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    UsherProcess alone{{"check", "--config", fifo}};
    CHECK(alone.wait().code == 3);
    CHECK(alone.count(fifo + ": is a FIFO that nobody writes to; name a file") == 1);

    const auto open = [&](int how) {
        return sys::UniqueFd{::open(fifo.c_str(), how | O_NONBLOCK | O_CLOEXEC)};
    };
    auto reader = open(O_RDONLY);
    auto writer = open(O_WRONLY);
    REQUIRE(writer);
    reader.reset();
    UsherProcess patient{{"check", "--config", fifo}};
    sys::UniqueFd second; // can be opened once somebody reads
    REQUIRE(eventually([&] { return static_cast<bool>(second = open(O_WRONLY)); }));
    const std::string text = R"({"pools": [{"command": ["/bin/true"], "dialect": "none"}]})";
    REQUIRE(::write(writer.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    writer.reset();
    second.reset();
    CHECK(patient.wait().code == 0);
}

TEST_CASE("the command line fills in the slot, and nothing else")
{
    const TempDir folder;
    const auto file = folder.write("a.env", "A=file\nB=file ${slot}\n").string();
    UsherProcess usher{{"run", "--listen", "127.0.0.1:0", "--workers", "2", "--env",
                        "A=${slot} of ${NONE}", "--env-file", file, "--", "/bin/sh", "-c",
                        "echo \"got $A, $B, $1.\"; exec \"$0\"", demo_program(), "90${slot}"}};
    usher.wait_until_ready(2);
    usher.wait_for("[default/1] got 1 of ${NONE}, file ${slot}, 901.");
    usher.wait_for("[default/2] got 2 of ${NONE}, file ${slot}, 902.");
}

TEST_CASE("with the slot in output.file each slot has a file, which is turned over on its own")
{
    ConfigFile config;
    const std::string script = "i=0; while [ $i -lt $1 ]; do i=$((i+1)); "
                               "echo \"line $i of a file that is soon full\"; done; exec \"$0\"";
    config.pool["command"] = {"/bin/sh", "-c", script, demo_program(), "${slot}0"};
    config.pool["output"] = {
        {"file", config.in_folder("log-${slot}")}, {"max_size", 1024}, {"prefix", false}};
    config.pool["workers"] = 3;
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(3);
    const auto log = [&](const std::string& name) { return config.in_folder("log-" + name); };
    const auto ends_with = [&](const std::string& name, const std::string& line) {
        return eventually([&] { return text_of(log(name)).find(line) != std::string::npos; });
    };
    CHECK(ends_with("1", "line 10 of"));
    CHECK(ends_with("2", "line 20 of"));
    CHECK(ends_with("3", "line 30 of"));
    CHECK_FALSE(fs::exists(log("1.1")));
    CHECK(fs::exists(log("3.1"))); // 30 lines are more than 1 KiB

    SUBCASE("SIGUSR1 opens each anew")
    {
        for (const char* const slot : {"1", "2", "3"})
            fs::rename(log(slot), log(slot) + std::string{".old"});
        usher.signal(SIGUSR1);
        for (const char* const slot : {"1", "2", "3"})
            CHECK(eventually([&] { return fs::exists(log(slot)); }));
    }
    SUBCASE("those of slots that are gone are closed, and opened again when they are back")
    {
        CHECK(has_open(usher.pid(), log("3")));
        CHECK(usher.command({"scale", "1"}).code == 0);
        CHECK(eventually(
            [&] { return !has_open(usher.pid(), log("2")) && !has_open(usher.pid(), log("3")); }));
        CHECK(has_open(usher.pid(), log("1")));
        CHECK(usher.command({"scale", "2"}).code == 0);
        CHECK(has_open(usher.pid(), log("2")));
    }
    SUBCASE("a reload that names other files brings new workers")
    {
        config.pool["output"]["file"] = config.in_folder("other-${slot}");
        config.write();
        CHECK(usher.command({"reload"}).code == 0);
        CHECK(fs::exists(config.in_folder("other-3")));
        CHECK(eventually([&] { return !has_open(usher.pid(), log("1")); }));
    }
    CHECK(usher.stop() == success);
}

TEST_SUITE_END();

} // namespace usher::settings_test
