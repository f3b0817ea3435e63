// SPDX-License-Identifier: MIT
#include "balancer/watch/folder_walk.hpp"

#include "common/sys/fd/inotify.hpp"
#include "common/text/one_line.hpp"
#include "tests/support/scarce_watches.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <sys/inotify.h>

namespace usher::folder_walk_test {

using namespace usher::test;
namespace fs = std::filesystem;

namespace {

struct Fixture {
    TempDir folder;
    sys::UniqueFd inotify{sys::make_inotify()};
    IgnoreRules rules{{"*.log"}, {}, "/"};
    FolderWalk walk;

    [[nodiscard]] std::string path(const std::string& name) const { return folder.path() / name; }

    [[nodiscard]] std::set<std::string> watched() const
    {
        std::set<std::string> result;
        for (const auto& watch : walk.watches)
            result.insert(watch.folder.substr(folder.path().string().size()) +
                          (watch.name.empty() ? "" : ": " + watch.name));
        return result;
    }
};

} // namespace

TEST_SUITE_BEGIN("folder_walk");

TEST_CASE_FIXTURE(Fixture, "all folders below are watched, but for those that are ignored")
{
    fs::create_directories(path("src/a/b"));
    fs::create_directories(path("src/node_modules/x"));
    fs::create_directory_symlink(folder.path(), path("src/loop"));
    walk.watch_all(inotify.get(), path("src"), rules, 100);
    CHECK(watched() == std::set<std::string>{"/src", "/src/a", "/src/a/b"});
    CHECK(walk.has_files); // the link
    CHECK(walk.problems.empty());
}

TEST_CASE_FIXTURE(Fixture, "files count unless they are ignored")
{
    std::ignore = folder.write("a.log", "");
    walk.watch_all(inotify.get(), folder.path(), rules, 100);
    CHECK_FALSE(walk.has_files);
    std::ignore = folder.write("a.js", "");
    walk.watch_all(inotify.get(), folder.path(), rules, 100);
    CHECK(walk.has_files);
    CHECK(walk.watches.at(0).number == walk.watches.at(1).number); // the same folder
}

TEST_CASE_FIXTURE(Fixture, "a file is watched by the folder that it is in")
{
    const auto file = folder.write("app.js", "").string();
    walk.watch_name(inotify.get(), file);
    walk.watch_all(inotify.get(), file, rules, 100);
    CHECK(watched() == std::set<std::string>{": app.js"});
    CHECK(walk.has_files);
}

TEST_CASE_FIXTURE(Fixture, "what is not there yet may come; what cannot come is said")
{
    walk.watch_name(inotify.get(), path("later"));
    walk.watch_all(inotify.get(), path("later"), rules, 100);
    CHECK(watched() == std::set<std::string>{": later"});
    CHECK(walk.problems.empty());
    walk.watch_name(inotify.get(), path("none/later"));
    REQUIRE(walk.problems.size() == 1);
    CHECK(walk.problems.at(0) == "\"" + path("none/later") + "\" cannot be watched: " +
                                     path("none") + ": No such file or directory");
}

TEST_CASE_FIXTURE(Fixture, "no more folders are watched than there is room for")
{
    for (const char* const name : {"a", "b", "c"})
        fs::create_directory(path(name));
    walk.watch_all(inotify.get(), folder.path(), rules, 3);
    CHECK(walk.watches.size() == 3);
    REQUIRE(walk.problems.size() == 1);
    CHECK(walk.problems.at(0).find("has more than 65536 folders") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "where the user has no watch left, what to raise is said, once")
{
    for (const char* const name : {"a", "b", "c"})
        fs::create_directory(path(name));
    refuse_folder_watches(true);
    walk.watch_name(inotify.get(), path("a"));
    walk.watch_all(inotify.get(), folder.path(), rules, 100);
    refuse_folder_watches(false);
    CHECK(walk.watches.empty());
    const std::string remedy = "the user's limit of inotify watches is reached; raise it (sysctl "
                               "fs.inotify.max_user_watches), or ignore folders that do not matter";
    REQUIRE(walk.problems.size() == 2);
    CHECK(walk.problems[0] ==
          quote(path("a")) + " cannot be watched: " + folder.path().string() + ": " + remedy);
    CHECK(walk.problems[1] == quote(folder.path().string()) + " is not watched: " + remedy);
}

TEST_CASE_FIXTURE(Fixture, "what happens in a folder is told with its name, one after the other")
{
    walk.watch_all(inotify.get(), folder.path(), rules, 3);
    std::ignore = folder.write("a", "x");
    fs::create_directory(path("a-longer-name"));
    std::array<std::byte, 4096> buffer{};
    std::span<const std::byte> events;
    REQUIRE_FALSE(sys::read_inotify(inotify.get(), buffer, events));
    std::vector<std::pair<std::string, std::uint32_t>> seen;
    while (!events.empty()) {
        const auto event = sys::take_event(events);
        CHECK(event.watch == walk.watches.at(0).number);
        seen.emplace_back(event.name, event.mask);
    }
    const std::vector<std::pair<std::string, std::uint32_t>> expected{
        {"a", IN_CREATE}, {"a", IN_CLOSE_WRITE}, {"a-longer-name", IN_CREATE | IN_ISDIR}};
    CHECK((seen == expected));
    REQUIRE_FALSE(sys::read_inotify(inotify.get(), buffer, events));
    CHECK(events.empty());
}

TEST_SUITE_END();

} // namespace usher::folder_walk_test
