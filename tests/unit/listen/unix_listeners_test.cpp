// SPDX-License-Identifier: MIT
#include "balancer/listen/unix_listeners.hpp"

#include "common/async/closing_thread.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <tuple>

namespace usher::unix_listeners_test {

using namespace usher::test;

namespace {

namespace fs = std::filesystem;

struct Fixture : NoFdLeak {
    TempDir folder;
    UnixListeners listeners;
    const ListenConfig config{.address = "unix:" + (folder.path() / "s").string()};
    const sys::SocketAddress address =
        sys::SocketAddress::unix_path((folder.path() / "s").string());

    void open(const SocketFile& held = {})
    {
        listeners.open({{.config = config, .backlog = 16, .held = held}});
    }
};

} // namespace

TEST_SUITE_BEGIN("unix_listeners");

TEST_CASE_FIXTURE(Fixture, "what is wanted is opened once, and taken once")
{
    CHECK_FALSE(listeners.knows(address, false));
    CHECK_FALSE(listeners.take(config));
    open();
    open(); // two pools may ask for it
    CHECK(listeners.knows(address, false));
    const auto socket = listeners.take({.address = "unix:" + (folder.path() / "./s").string()});
    REQUIRE(socket);
    CHECK(socket->file.is_there());
    CHECK_THROWS_AS(std::ignore = listeners.take(config), AddressInUse);
    CHECK_FALSE(listeners.take({.address = "127.0.0.1:80"}));
}

TEST_CASE_FIXTURE(Fixture, "what is open already stays, until its file is gone")
{
    open();
    const auto socket = listeners.take(config);
    listeners = {};
    open(socket->file);
    CHECK_FALSE(listeners.replaces(address));
    CHECK_FALSE(listeners.take(config));
    CHECK(listeners.knows(address, true));
    CHECK_FALSE(listeners.knows(address, false)); // if that ends meanwhile

    listeners = {};
    fs::remove(folder.path() / "s");
    open(socket->file);
    CHECK(listeners.replaces(address));
    CHECK(listeners.take(config)->file.is_there());
}

TEST_CASE_FIXTURE(Fixture, "of those that are open only those are mended whose file is gone")
{
    const auto path = folder.path() / "s";
    const auto mend = [&](const SocketFile& held, bool needs_workers = false) {
        listeners = {};
        listeners.open_lost(
            {{.config = config, .backlog = 16, .held = held, .needs_workers = needs_workers}});
        return !listeners.is_empty();
    };
    CHECK_FALSE(mend({})); // nobody has it open
    CHECK_FALSE(fs::exists(path));
    open();
    const auto socket = listeners.take(config);
    CHECK_FALSE(mend(socket->file));

    fs::remove(path);
    CHECK(mend(socket->file, true)); // its workers have it
    CHECK_FALSE(listeners.replaces(address));
    CHECK(listeners.notes().size() == 1);
    CHECK_FALSE(fs::exists(path));

    std::ofstream{path} << "somebody else's";
    CHECK_FALSE(mend(socket->file));
    fs::remove(path);
    {
        const auto other = listen_on(address);
        CHECK_FALSE(mend(socket->file));
    }
    CHECK_FALSE(mend(socket->file)); // nobody listens there, but it is not ours to remove

    fs::remove(path);
    CHECK(mend(socket->file));
    CHECK(listeners.replaces(address));
    CHECK(listeners.take(config)->file.is_there());
}

TEST_CASE_FIXTURE(Fixture, "a file is lost with its folder, and comes back with that")
{
    const auto inner = folder.path() / "folder";
    fs::create_directory(inner);
    const ListenConfig there{.address = "unix:" + (inner / "s").string()};
    listeners.open({{.config = there, .backlog = 16, .held = {}}});
    const auto socket = listeners.take(there);
    listeners = {};
    fs::remove_all(inner);
    CHECK(socket->file.is_lost());
    listeners.open_lost({{.config = there, .backlog = 16, .held = socket->file}});
    CHECK_THROWS_AS(std::ignore = listeners.take(there), std::system_error);

    fs::create_directory(inner);
    listeners = {};
    listeners.open_lost({{.config = there, .backlog = 16, .held = socket->file}});
    CHECK(listeners.take(there)->file.is_there());
}

TEST_CASE_FIXTURE(Fixture,
                  "what usher was started with stays, and it is said when its file is gone")
{
    const auto inherited = listen_on(address);
    const auto look = [&] {
        listeners = {};
        listeners.open({{.config = config, .backlog = 16, .held = {}, .is_inherited = true}});
        CHECK(listeners.knows(address, true));
        CHECK_FALSE(listeners.replaces(address));
        CHECK_FALSE(listeners.take(config));
        return listeners.notes();
    };
    CHECK(look().empty());
    fs::remove(folder.path() / "s");
    const auto notes = look();
    REQUIRE(notes.size() == 1);
    CHECK(notes[0].find(address.to_string() + ": there is no socket's file") == 0);
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE_FIXTURE(Fixture, "what cannot be opened says so when it is taken")
{
    std::ofstream{folder.path() / "s"} << "precious";
    open();
    CHECK_THROWS_AS(std::ignore = listeners.take(config), AddressInUse);
    CHECK_THROWS_AS(std::ignore = listeners.take(config), AddressInUse);
}

TEST_CASE_FIXTURE(Fixture, "what nobody takes is gone")
{
    open();
    listeners = {};
    finish_elsewhere(10s);
    CHECK(fs::is_empty(folder.path()));
}

TEST_SUITE_END();

} // namespace usher::unix_listeners_test
