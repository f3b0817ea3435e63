// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/node_socket.hpp"

#include "tests/support/no_fd_leak.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <utility>

using namespace usher;
using namespace usher::test;

namespace {

namespace fs = std::filesystem;

struct Fixture : NoFdLeak {
    TempDir folder;
    std::string path = (folder.path() / "s.sock").string();

    static int open(const ServerRequest& request, NodeSocket& socket)
    {
        return open_node_socket(request, NodeSocketUse::listen, 16, socket);
    }

    static ServerRequest for_path(std::string path)
    {
        return {.address = std::move(path), .is_path = true, .port = -1};
    }
};

/// For one scope the process is in a folder that is gone.
class Nowhere {
public:
    Nowhere()
    {
        const TempDir gone;
        fs::current_path(gone.path());
    }
    Nowhere(const Nowhere&) = delete;
    Nowhere& operator=(const Nowhere&) = delete;
    ~Nowhere() { fs::current_path(before_); }

private:
    fs::path before_ = fs::current_path();
};

} // namespace

TEST_SUITE_BEGIN("node_socket");

TEST_CASE_FIXTURE(Fixture, "an empty path is no name that the kernel may choose")
{
    NodeSocket socket;
    CHECK(open(for_path(""), socket) == EINVAL);
    CHECK(open({.is_path = true}, socket) == EINVAL);
    CHECK_FALSE(socket.fd);
}

TEST_CASE_FIXTURE(Fixture, "a path is found though the process is nowhere")
{
    const Nowhere nowhere;
    NodeSocket socket;
    CHECK(open(for_path(path), socket) == 0);
    CHECK(fs::is_socket(path));
    CHECK(open(for_path("relative"), socket) != 0);
}

TEST_CASE_FIXTURE(Fixture, "a path is what it looks like, whatever links there are")
{
    fs::create_directories(folder.path() / "a/b");
    fs::create_directory_symlink(folder.path() / "a/b", folder.path() / "link");
    NodeSocket socket;
    CHECK(open(for_path((folder.path() / "link/../s.sock").string()), socket) == 0);
    CHECK(fs::is_socket(path));
    CHECK_FALSE(fs::exists(folder.path() / "a/s.sock"));
}

TEST_SUITE_END();
