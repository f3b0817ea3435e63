// SPDX-License-Identifier: MIT
#include "balancer/config/launch_folder.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include <stdlib.h>

namespace usher::launch_folder_test {

using namespace usher::test;
namespace fs = std::filesystem;

namespace {

/// This process is in a folder that a link leads to, for a scope.
struct Releases : TempDir {
    fs::path root = fs::canonical(path());
    std::string link = root / "current";

    Releases()
    {
        for (const char* const name : {"1/app", "2/app"})
            fs::create_directories(root / name);
        lead_to("1");
        fs::current_path(link);
        ::setenv("PWD", link.c_str(), 1);
    }
    Releases(const Releases&) = delete;
    Releases& operator=(const Releases&) = delete;
    ~Releases()
    {
        fs::current_path(before_);
        ::setenv("PWD", before_.c_str(), 1);
    }

    void lead_to(const std::string& release) const
    {
        fs::remove(link);
        fs::create_directory_symlink(release, link);
    }
    [[nodiscard]] std::string in(const char* name) const { return root / name; }

private:
    fs::path before_ = fs::current_path();
};

} // namespace

TEST_SUITE_BEGIN("launch_folder");

TEST_CASE_FIXTURE(Releases, "while its link leads here all is as it stands")
{
    const auto here = LaunchFolder::here();
    CHECK(here.find("usher.json") == "usher.json");
    CHECK(here.find("/etc/usher.json") == "/etc/usher.json");
    CHECK(here.find("").empty());
    CHECK(here.pin("").empty());
    CHECK(here.pin("app") == "app");
    CHECK(here.pin("../1/app/") == "app");
    CHECK(here.pin("missing") == "missing");
    CHECK(here.pin("/missing") == "/missing");
    CHECK(here.pin("..") == root);
    CHECK(here.pin(link + "/app") == in("1/app"));
    CHECK(here.pin(link).empty());
}

TEST_CASE_FIXTURE(Releases, "when its link leads elsewhere it is there that everything is")
{
    const auto here = LaunchFolder::here();
    lead_to("2");
    CHECK(here.find("usher.json") == link + "/usher.json");
    CHECK(here.find("/etc/usher.json") == "/etc/usher.json");
    CHECK(here.pin("") == in("2"));
    CHECK(here.pin("app") == in("2/app"));
    CHECK(here.pin("missing") == link + "/missing");
    lead_to("1");
    CHECK(here.pin("").empty());
}

TEST_CASE_FIXTURE(Releases, "a link that leads nowhere is no way back to where we were started")
{
    const auto here = LaunchFolder::here();
    lead_to("none");
    CHECK(here.find("usher.json") == link + "/usher.json");
    CHECK(here.pin("") == link);
    CHECK(here.pin("app") == link + "/app");
    fs::remove(link);
    CHECK(here.find("usher.json") == link + "/usher.json");
}

TEST_CASE_FIXTURE(Releases, "a folder without a link is still the same when it is renamed")
{
    fs::current_path(in("1"));
    ::setenv("PWD", in("1").c_str(), 1);
    const auto here = LaunchFolder::here();
    fs::rename(in("1"), in("3"));
    CHECK(here.find("usher.json") == "usher.json");
    CHECK(here.pin("").empty());
    CHECK(here.pin("app") == "app");
}

TEST_CASE_FIXTURE(Releases, "what PWD says counts only if it is where we are")
{
    for (const auto& said : {in("2"), std::string{"."}, std::string{"nonsense"}, std::string{}}) {
        ::setenv("PWD", said.c_str(), 1);
        const auto here = LaunchFolder::here();
        lead_to("2");
        CHECK(here.find("usher.json") == "usher.json");
        CHECK(here.pin("").empty());
        CHECK(here.pin(link) == in("2"));
        lead_to("1");
    }
    ::unsetenv("PWD");
    CHECK(LaunchFolder::here().pin("app") == "app");
}

TEST_CASE_FIXTURE(Releases, "where the folder has been removed and made anew, the new one counts")
{
    ::unsetenv("PWD");
    const auto here = LaunchFolder::here();
    fs::remove_all(in("1"));
    CHECK(here.pin("").empty()); // there is no better one
    CHECK(here.find("usher.json") == "usher.json");
    fs::create_directories(in("1"));
    CHECK(here.pin("") == in("1"));
    CHECK(here.find("usher.json") == in("1/usher.json"));
}

TEST_CASE_FIXTURE(Releases, "of a program's path the folder is known, and its own link stays")
{
    fs::create_symlink("/bin/sh", in("1/python"));
    CHECK(pin_program(link + "/python") == in("1"));
    CHECK(pin_program("./python").empty());
    CHECK(pin_program("python").empty());
    CHECK(pin_program("/missing/python").empty());
}

TEST_SUITE_END();

} // namespace usher::launch_folder_test
