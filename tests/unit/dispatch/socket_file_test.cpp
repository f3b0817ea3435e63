// SPDX-License-Identifier: MIT
#include "balancer/dispatch/socket_file.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <utility>

using namespace usher;
using namespace usher::test;

namespace {

namespace fs = std::filesystem;

} // namespace

TEST_SUITE_BEGIN("socket_file");

TEST_CASE_FIXTURE(TempDir, "the end of the scope removes the file")
{
    const auto path = write("s", "");
    {
        const SocketFile file{path.string()};
    }
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE_FIXTURE(TempDir, "somebody else's file in its place stays")
{
    const auto path = write("s", "ours");
    const auto theirs = write("theirs", "theirs");
    {
        const SocketFile file{path.string()};
        fs::rename(theirs, path);
    }
    CHECK(fs::exists(path));
}

TEST_CASE_FIXTURE(TempDir, "a file that is gone already is no error, and nothing else is removed")
{
    const auto path = write("s", "");
    {
        const SocketFile file{path.string()};
        fs::remove(path);
    }
    CHECK(fs::is_empty(TempDir::path()));
}

TEST_CASE_FIXTURE(TempDir, "a moved file is removed once, at the end of its new owner")
{
    const auto path = write("s", "");
    {
        SocketFile target;
        {
            SocketFile source{path.string()};
            target = std::move(source);
        }
        CHECK(fs::exists(path));
        const SocketFile last{std::move(target)};
        CHECK(fs::exists(path));
    }
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE("an object without a file removes nothing")
{
    const SocketFile file;
}

TEST_SUITE_END();
