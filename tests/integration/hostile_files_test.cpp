// SPDX-License-Identifier: MIT
// What others can do to the files, folders and sockets that a master which is root names by a path.
#include "tests/hostile/neighbourhood.hpp"
#include "tests/support/shell.hpp"
#include "tests/support/touch.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::hostile_files_test {

using namespace usher::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

std::string content(const fs::path& path)
{
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

} // namespace

TEST_SUITE_BEGIN("hostile_files");

TEST_CASE("a worker that puts links into its log folder has nothing else written to")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    const auto precious = here.masters_folder() + "/precious";
    std::ofstream{precious} << "precious";
    here.workers_do("links-for-logs",
                    {here.workers_folder() + "/log", precious, here.masters_folder() + "/new"});
    here.pool["output"] = {{"file", here.workers_folder() + "/log"}, {"max_size", "1KiB"}};
    auto& usher = here.start();
    here.wait_for("links");
    for (int i = 0; i < 20; ++i) {
        usher.signal(SIGUSR1); // opens log files anew
        here.check_innocent(200ms);
    }
    CHECK(content(precious) == "precious");
    CHECK_FALSE(fs::exists(here.masters_folder() + "/new"));
}

TEST_CASE("who locks a folder holds up neither the start nor a reload that listen there")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    here.stranger_does("lock-folder", {here.common_folder()});
    here.wait_for("locked");
    here.innocent["listen"] = {"127.0.0.1:0", "unix:" + here.common_folder() + "/s"};
    auto& usher = here.start();
    here.innocent["listen"].push_back("unix:" + here.common_folder() + "/t");
    here.write();
    CHECK(usher.command({"reload", "innocent", "--timeout", "30s"}).code != 6);
    here.check_innocent(1s);
}

TEST_CASE("root makes no socket where a worker can lead the path elsewhere")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    auto& usher = here.start();
    fs::create_directory_symlink(here.masters_folder(), here.workers_folder() + "/link");
    REQUIRE(::lchown((here.workers_folder() + "/link").c_str(), Neighbourhood::worker_user,
                     Neighbourhood::worker_user) == 0);
    for (const auto* const place : {"/s", "/link/s"}) {
        here.innocent["listen"] = {"127.0.0.1:0", "unix:" + here.workers_folder() + place};
        here.write();
        const auto result = usher.command({"reload"});
        CAPTURE(result.output);
        CHECK(result.code != 0);
        CHECK(result.output.find(here.workers_folder()) != std::string::npos);
    }
    CHECK_FALSE(fs::exists(here.masters_folder() + "/s"));
    CHECK_FALSE(fs::exists(here.workers_folder() + "/s"));
    here.check_innocent(0ms);
}

TEST_CASE("root takes no configuration that others can have written")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    auto& usher = here.start();
    REQUIRE(::chmod(here.config_path().c_str(), 0666) == 0);
    const auto result = usher.command({"reload"});
    CHECK(result.code != 0);
    CHECK(result.output.find("can be written by others than root") != std::string::npos);
    here.check_innocent(0ms);
}

TEST_CASE("a client says nothing to a stranger that listens at --control")
{
    if (!Neighbourhood::is_possible())
        return;
    const Neighbourhood here;
    const auto path = here.common_folder() + "/usher.sock";
    Neighbourhood strangers;
    strangers.stranger_does("listen-for-secrets", {path});
    strangers.wait_for("listens");
    const auto output =
        output_of("timeout 60 " + usher_program() + " send '\"a secret\"' --timeout 5s --control " +
                  path + " 2>&1; echo \"code $?\"");
    CAPTURE(output);
    CHECK(output.find("user 65533 listens there") != std::string::npos);
    CHECK(output.find("code 1\n") != std::string::npos);
    strangers.wait_for("heard b''");
}

TEST_CASE("a default control socket that a stranger has taken first ends the start")
{
    if (!Neighbourhood::is_possible())
        return;
    const Neighbourhood here;
    const auto lock = here.common_folder() + "/usher.sock.lock";
    const auto start = [&] {
        return output_of("XDG_RUNTIME_DIR=" + here.common_folder() + " timeout -s KILL 20 " +
                         usher_program() + " run --listen 127.0.0.1:0 -- " + demo_program() +
                         " 2>&1; echo \"code $?\"");
    };
    const auto take = [&] { REQUIRE(::chown(lock.c_str(), Neighbourhood::stranger_user, 0) == 0); };
    touch(lock);
    take();
    const auto by_file = start();
    CAPTURE(by_file);
    CHECK(by_file.find("code 1\n") != std::string::npos);
    fs::remove(lock);
    fs::create_directory(lock);
    take();
    const auto by_folder = start();
    CAPTURE(by_folder);
    CHECK(by_folder.find("code 1\n") != std::string::npos);
}

TEST_SUITE_END();

} // namespace usher::hostile_files_test
