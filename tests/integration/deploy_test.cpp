// SPDX-License-Identifier: MIT
// Releases that a link leads to, one after the other.
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <stdlib.h>
#include <unistd.h>

namespace usher::deploy_test {

using namespace usher::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const auto success = usher::sys::ExitStatus{};

/// Two releases, with a program and a configuration each, and `current`, which leads to the first.
struct Site : TempDir {
    fs::path root = fs::canonical(path());
    std::string link = root / "current";

    explicit Site(const json& more = json::object())
    {
        for (const std::string release : {"1", "2"}) {
            fs::create_directories(root / release);
            json pool{{"command", {"./server"}},
                      {"workers", 1},
                      {"listen", "127.0.0.1:0"},
                      {"restart", {{"first_delay", "10ms"}}},
                      {"env", {{"RELEASE_OF_CONFIG", release}}}};
            pool.update(more);
            std::ignore =
                write(release + "/usher.json", json{{"pools", json::array({pool})}}.dump());
            write_server(release, "exec " + demo_program());
        }
        lead_to("1");
    }

    void write_server(const std::string& release, const std::string& rest) const
    {
        const auto file =
            write(release + "/server", "#!/bin/sh\necho \"release " + release +
                                           ", configured by $RELEASE_OF_CONFIG\"\n" + rest + "\n");
        fs::permissions(file, fs::perms::owner_all);
    }

    void lead_to(const std::string& release) const
    {
        fs::remove(link);
        fs::create_directory_symlink(release, link);
    }

    /// As a shell in `current` starts it.
    [[nodiscard]] std::function<void()> in_current() const
    {
        return [this] {
            if (::chdir(link.c_str()) < 0 || ::setenv("PWD", link.c_str(), 1) < 0)
                ::_exit(126);
        };
    }
};

} // namespace

TEST_SUITE_BEGIN("deploy");

TEST_CASE("a reload brings in what the link names by then: program and configuration")
{
    const Site site;
    UsherProcess usher{{"run", "--config", "usher.json"}, site.in_current()};
    usher.wait_until_ready(1);
    CHECK(usher.count("release 1, configured by 1") == 1);

    // Until then a worker that dies is followed by one of its kind.
    site.lead_to("2");
    ::kill(usher.worker_pid(1), SIGKILL);
    usher.wait_for_count("release 1, configured by 1", 2);
    usher.wait_until_ready(2);

    CHECK(usher.command({"reload"}).code == 0);
    CHECK(usher.count("release 2, configured by 2") == 1);
    fs::remove_all(site.root / "1");
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(usher.count("release 2, configured by 2") == 2);
    CHECK(usher.stop() == success);
}

TEST_CASE("a link that leads elsewhere is a reason for new workers, whatever else has changed")
{
    const Site site{{{"max_queue", 7}}};
    UsherProcess usher{{"run", "--listen", "127.0.0.1:0", "--", "./server"}, site.in_current()};
    usher.wait_for("release 1");
    usher.wait_for("ready after");
    site.lead_to("2");
    const auto plan = usher.command({"reload", "--dry-run"}).output;
    CHECK(plan.find("generation 2 replaces generation 1") != std::string::npos);
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(usher.count("release 2") >= 1);
}

TEST_CASE("a link that leads nowhere fails the reload, and brings nothing of long ago back")
{
    for (const bool has_file : {true, false}) {
        const Site site;
        const auto args =
            has_file ? std::vector<std::string>{"run", "--config", "usher.json"}
                     : std::vector<std::string>{"run", "--listen", "127.0.0.1:0", "--workers",
                                                "1",   "--",       "./server"};
        UsherProcess usher{args, site.in_current()};
        usher.wait_until_ready(1);
        site.lead_to("2");
        REQUIRE(usher.command({"reload"}).code == 0);

        site.lead_to("3");
        const auto reload = usher.command({"reload"});
        CHECK(reload.code != 0);
        CHECK(reload.output.find(site.link) != std::string::npos);
        ::kill(usher.worker_pid(1), SIGKILL);
        usher.wait_for_count("release 2", 2);
        CHECK(usher.count("release 1") == 1);
    }
}

TEST_CASE("so it is where cwd, or the program's own path, leads through the link")
{
    const Site site;
    for (const auto& pool :
         {json{{"cwd", site.link}}, json{{"command", {site.link + "/server"}}}}) {
        const Site other{pool}; // elsewhere, so that only the paths lead through the link
        UsherProcess usher{{"run", "--config", other.root / "1/usher.json"}};
        usher.wait_until_ready(1);
        CHECK(usher.count("release 1") == 1);
        site.lead_to("2");
        ::kill(usher.worker_pid(1), SIGKILL);
        usher.wait_for_count("release 1", 2);
        usher.wait_until_ready(2);
        CHECK(usher.command({"reload"}).code == 0);
        CHECK(usher.count("release 2") == 1);
        CHECK(usher.stop() == success);
        site.lead_to("1");
    }
}

TEST_CASE("a release that fails is rolled back to the old program, or it is said that that is gone")
{
    const json without_surge{{"reload", {{"max_surge", 0}, {"max_unavailable", 1}}},
                             {"start_timeout", "20s"}};
    for (const bool is_gone : {false, true}) {
        const Site site{without_surge};
        site.write_server("2", "exit 1");
        UsherProcess usher{{"run", "--config", "usher.json"}, site.in_current()};
        usher.wait_until_ready(1);
        site.lead_to("2");
        if (is_gone)
            fs::remove_all(site.root / "1");
        CHECK(usher.command({"reload"}).code == 1);
        CHECK(usher.count("release 2") == 1);
        if (is_gone) {
            usher.wait_for("cannot be started: ./server: the folder that usher was started in has "
                           "been removed");
        } else {
            usher.wait_until_ready(2);
            CHECK(usher.count("release 1, configured by 1") == 2);
        }
    }
    // The same where the old one was not what usher was started with.
    const Site site{without_surge};
    site.lead_to("2");
    UsherProcess usher{{"run", "--config", "usher.json"}, site.in_current()};
    usher.wait_until_ready(1);
    site.lead_to("1");
    CHECK(usher.command({"reload"}).code == 0);
    site.write_server("2", "exit 1");
    site.lead_to("2");
    fs::remove_all(site.root / "1");
    CHECK(usher.command({"reload"}).code == 1);
    usher.wait_for("cannot be started: " + (site.root / "1").string() +
                   ": changing to its working directory failed: No such file or directory");
}

TEST_SUITE_END();

} // namespace usher::deploy_test
