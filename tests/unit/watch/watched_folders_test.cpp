// SPDX-License-Identifier: MIT
#include "balancer/watch/watched_folders.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <sys/inotify.h>

namespace usher::watched_folders_test {

namespace {

/// As for `"watch": ["src", "/etc/app.conf"]`.
struct Folders {
    WatchedFolders folders{IgnoreRules{{}, {}, "/srv"}};

    Folders()
    {
        folders.add(1, ".", "src");
        folders.add(2, "src");
        folders.add(3, "src/lib");
        folders.add(4, "/etc", "app.conf");
    }

    auto look(int watch, std::uint32_t mask, std::string_view name = {})
    {
        return folders.look({.watch = watch, .mask = mask, .name = name});
    }
};

} // namespace

TEST_SUITE_BEGIN("watched_folders");

TEST_CASE_FIXTURE(Folders, "a file that is written, made, moved or removed is a change")
{
    for (const std::uint32_t mask :
         {IN_CLOSE_WRITE, IN_CREATE, IN_MOVED_TO, IN_MOVED_FROM, IN_DELETE}) {
        CHECK(look(2, mask, "app.js").changed == "src/app.js");
        CHECK(look(3, mask, "db.js").changed == "src/lib/db.js");
        CHECK(look(4, mask, "app.conf").changed == "/etc/app.conf");
        CHECK(look(4, mask, "passwd").changed.empty());
        CHECK(look(2, mask, ".app.js.swp").changed.empty());
        CHECK(look(2, mask).changed.empty());
        CHECK(look(9, mask, "app.js").changed.empty());
    }
}

TEST_CASE_FIXTURE(Folders, "a folder that appears is to be looked through, unless it is ignored")
{
    for (const std::uint32_t mask : {IN_CREATE, IN_MOVED_TO}) {
        CHECK(look(2, mask | IN_ISDIR, "new").new_folder == "src/new");
        CHECK(look(2, mask | IN_ISDIR, "new").changed.empty());
        CHECK(look(2, mask | IN_ISDIR, "node_modules").new_folder.empty());
        CHECK(look(1, mask | IN_ISDIR, "other").new_folder.empty());
    }
}

TEST_CASE_FIXTURE(Folders, "a folder that goes takes the watches below it along")
{
    const auto moved = look(2, IN_MOVED_FROM | IN_ISDIR, "lib");
    CHECK(moved.changed == "src/lib");
    CHECK(moved.gone == std::vector{3});
    CHECK(look(3, IN_CREATE, "a").changed.empty());
    CHECK(folders.size() == 3);
}

TEST_CASE_FIXTURE(Folders, "what is watched may be replaced as a whole")
{
    CHECK(look(1, IN_DELETE | IN_ISDIR, "src").gone == std::vector{2, 3});
    CHECK(look(2, IN_IGNORED).changed.empty());
    CHECK(look(1, IN_CREATE | IN_ISDIR, "src").new_folder == "src");
    folders.add(5, "src");
    CHECK(look(5, IN_CREATE, "app.js").changed == "src/app.js");
    CHECK(look(1, IN_MOVED_TO, "src").changed == "src"); // a link or a file in its place
}

TEST_CASE_FIXTURE(Folders, "a folder may be watched for all that is in it and for one name")
{
    folders.add(3, "src/lib", "node_modules"); // ignored, had it not been asked for
    CHECK(look(3, IN_CREATE | IN_ISDIR, "node_modules").new_folder == "src/lib/node_modules");
    CHECK(look(2, IN_MOVED_FROM | IN_ISDIR, "lib").gone.empty());
    CHECK(look(3, IN_CREATE, "a").changed.empty());
    CHECK(look(3, IN_MOVED_TO, "node_modules").changed == "src/lib/node_modules");
}

TEST_CASE("thousands of folders that come and go cost each about the same")
{
    const auto processor_time = [] {
        timespec time{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
    };
    const auto time_of = [&](int count) {
        WatchedFolders folders{IgnoreRules{{}, {}, "/srv"}};
        const auto begin = processor_time();
        folders.add(0, "src");
        for (int i = 1; i <= count; ++i)
            folders.add(i, "src/folder" + std::to_string(i));
        std::size_t gone = 0;
        for (int i = 1; i <= count; ++i) {
            const auto name = "folder" + std::to_string(i);
            gone +=
                folders.look({.watch = 0, .mask = IN_DELETE | IN_ISDIR, .name = name}).gone.size();
            std::ignore = folders.look({.watch = i, .mask = IN_IGNORED, .name = {}});
        }
        CHECK(gone == static_cast<std::size_t>(count));
        return processor_time() - begin;
    };
    std::ignore = time_of(1'000); // the memory is there now
    const auto few = time_of(1'000);
    CHECK(time_of(16'000) < 64 * few); // linear: 16, quadratic: 256
}

TEST_CASE_FIXTURE(Folders, "where the kernel has dropped events, all is to be looked through")
{
    const auto lost = look(-1, IN_Q_OVERFLOW);
    CHECK(lost.is_all_lost);
    CHECK_FALSE(lost.changed.empty());
}

TEST_CASE("paths are as the user began them")
{
    CHECK(path_in(".", "a") == "a");
    CHECK(path_in("/", "a") == "/a");
    CHECK(path_in("src", "a") == "src/a");
    CHECK(path_in("../x", "a") == "../x/a");
}

TEST_SUITE_END();

} // namespace usher::watched_folders_test
