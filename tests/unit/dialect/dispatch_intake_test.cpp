// SPDX-License-Identifier: MIT
#include "balancer/dialect/dispatch_intake.hpp"

#include "balancer/listen/same_address.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/scarce_watches.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <tuple>
#include <vector>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

std::string watched;                    // the path of a socket
std::optional<bool> did_listen_at_last; // when its file was removed

bool can_connect(const usher::sys::SocketAddress& address)
{
    try {
        std::ignore = usher::test::connect_to(address);
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

bool listens(const std::string& path)
{
    return can_connect(usher::sys::SocketAddress::unix_path(path));
}

} // namespace

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the system's are reserved
extern "C" int unlink(const char* path) noexcept
{
    if (path == watched)
        did_listen_at_last = listens(watched);
    return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

namespace usher::dispatch_intake_test {

using namespace usher::test;

namespace {

struct Fixture : NoFdLeak {
    TempDir folder;
    boost::asio::io_context io;
    EventBus events;
    DispatchIntake intake{io.get_executor(), "web", events};
    ResolvedPool config;
    SocketSource sockets;

    Fixture()
    {
        watched = (folder.path() / "s").string();
        did_listen_at_last.reset();
        config.listen = {{.address = "unix:" + watched}};
    }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture() { watched.clear(); }

    [[nodiscard]] static bool is_gone()
    {
        return eventually([] { return !std::filesystem::exists(watched); }, 5s);
    }
};

} // namespace

TEST_SUITE_BEGIN("dispatch_intake");

TEST_CASE_FIXTURE(NoFdLeak, "what is prepared is taken over as a whole, also without memory")
{
    boost::asio::io_context io;
    EventBus events;
    DispatchIntake intake{io.get_executor(), "web", events};
    SocketSource sockets;
    ResolvedPool config;
    config.listen = {{.address = "127.0.0.1:0"}, {.address = "127.0.0.2:0"}};
    intake.prepare(config, sockets).commit();
    intake.start();
    const auto before = intake.addresses();

    config.listen = {
        {.address = "127.0.0.3:0"}, {.address = "127.0.0.4:0"}, {.address = "127.0.0.1:0"}};
    const auto change = intake.prepare(config, sockets);
    bool has_thrown = false;
    fail_allocations(true);
    try {
        change.commit();
    } catch (const std::exception&) {
        has_thrown = true;
    }
    fail_allocations(false);
    CHECK_FALSE(has_thrown);

    const auto after = intake.addresses();
    REQUIRE(after.size() == 3);
    CHECK(std::ranges::equal(after, change.addresses, is_same));
    CHECK(is_same(after.back(), before.front()));
    CHECK(std::ranges::all_of(after, can_connect));
    CHECK_FALSE(can_connect(before.back()));
    bool is_closed = false;
    intake.close([&] { is_closed = true; });
    CHECK(run_until(io, [&] { return is_closed; }));
}

TEST_CASE_FIXTURE(NoFdLeak, "of several sockets that were inherited for one address, each stays")
{
    boost::asio::io_context io;
    EventBus events;
    DispatchIntake intake{io.get_executor(), "web", events};
    auto address = loopback(0);
    const sys::BindOptions options{.reuse_port = true, .backlog = 16};
    SocketSource sockets;
    for (int i = 0; i < 3; ++i) {
        sys::UniqueFd fd;
        REQUIRE_FALSE(sys::open_bound_socket(address, options, fd));
        REQUIRE_FALSE(sys::read_bound_address(fd.get(), address));
        sockets.inherited.add(std::move(fd), "usher.socket");
    }
    ResolvedPool config;
    config.listen = {{.address = address.to_string()}};
    REQUIRE(sockets.inherited.assign(config.listen).empty());
    intake.prepare(config, sockets).commit();
    intake.start();
    const auto count = [&] {
        return std::ranges::count_if(intake.addresses(),
                                     [&](const auto& other) { return is_same(other, address); });
    };
    REQUIRE(count() == 3);

    const auto before = open_fd_count();
    for (const auto& written :
         {address.to_string(), fmt::format("localhost:{}", address.port()), address.to_string()}) {
        CAPTURE(written);
        config.listen = {{.address = written}};
        SocketSource none;
        const auto change = intake.prepare(config, none);
        CHECK(std::ranges::count(change.opens, address.to_string()) == 0);
        CHECK(std::ranges::count(change.closes, address.to_string()) == 0);
        change.commit();
        CHECK(count() == 3);
    }
    CHECK(intake.addresses().size() == 3);
    CHECK(open_fd_count() == before);
    intake.close(nullptr);
}

TEST_CASE_FIXTURE(NoFdLeak, "what a change opens and closes is known beforehand")
{
    boost::asio::io_context io;
    EventBus events;
    DispatchIntake intake{io.get_executor(), "web", events};
    SocketSource sockets;
    ResolvedPool config;
    config.listen = {{.address = "127.0.0.1:0"}};
    const auto first = intake.prepare(config, sockets);
    CHECK(first.opens == std::vector<std::string>{"127.0.0.1:0"}); // it has another port next time
    first.commit();
    const auto address = intake.addresses().front();
    const auto other = fmt::format("127.0.0.2:{}", address.port());
    config.listen = {{.address = other}};
    const auto second = intake.prepare(config, sockets);
    CHECK(second.opens == std::vector{other});
    CHECK(second.closes == std::vector{address.to_string()});
    intake.close(nullptr);
}

// Or somebody else could take the file for one that was left behind, and have put their own in its
// place when it is removed.
TEST_CASE_FIXTURE(Fixture, "while a socket's file is there the socket listens, however it ends")
{
    SUBCASE("called off")
    {
        std::ignore = intake.prepare(config, sockets);
    }
    SUBCASE("called off halfway, because it cannot be watched")
    {
        refuse_watches(true);
        CHECK_THROWS_AS(std::ignore = intake.prepare(config, sockets), std::system_error);
        refuse_watches(false);
    }
    SUBCASE("no longer wanted")
    {
        intake.prepare(config, sockets).commit();
        CHECK(listens(watched));
        config.listen = {{.address = "127.0.0.1:0"}};
        intake.prepare(config, sockets).commit();
        bool is_closed = false;
        intake.close([&] { is_closed = true; });
        REQUIRE(run_until(io, [&] { return is_closed; }));
    }
    SUBCASE("closed at once")
    {
        intake.prepare(config, sockets).commit();
        intake.close(nullptr);
    }
    CHECK(is_gone());
    CHECK(did_listen_at_last == true);
}

TEST_SUITE_END();

} // namespace usher::dispatch_intake_test
