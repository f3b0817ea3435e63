// SPDX-License-Identifier: MIT
//
// The C library under a master that lives in this process.
#include "usher.h"

#include "common/handoff_address.hpp"
#include "common/sys/socket/channel_pair.hpp"
#include "common/sys/socket/fd_message.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fake_master.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/worker_c/malloc_count.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>

namespace usher::usher_test {

using namespace usher::test;

namespace {

/// The descriptor that a variable of the protocol names; -1 if it is not set.
int given(const char* name)
{
    const char* const text = ::getenv(name);
    return text != nullptr ? std::atoi(text) : -1;
}

struct Fixture : NoFdLeak {
    FakeMaster master;
    usher_worker* worker = usher_open(nullptr);
    std::vector<sys::UniqueFd> clients; ///< the n-th has connection id n + 1

    Fixture() { REQUIRE(worker != nullptr); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture() { usher_close(worker); }

    /// Hands over `count` connections in one packet.
    void hand_off(std::size_t count, wire::HandoffRecord record = {})
    {
        std::vector<std::pair<sys::UniqueFd, wire::HandoffRecord>> batch;
        for (std::size_t i = 0; i < count; ++i) {
            auto pair = make_connection();
            clients.push_back(std::move(pair.client));
            record.id = clients.size();
            batch.emplace_back(std::move(pair.server), record);
        }
        master.hand_off(std::move(batch));
    }

    sys::UniqueFd accept(usher_connection* connection = nullptr)
    {
        sys::UniqueFd fd{usher_accept(worker, connection)};
        REQUIRE(fd);
        return fd;
    }

    /// The errno of an accept that gives nothing.
    int refusal()
    {
        const sys::UniqueFd fd{usher_accept(worker, nullptr)};
        const int error = errno;
        REQUIRE_FALSE(fd);
        return error;
    }
};

/// Why usher_open() says no.
std::string open_refusal(const usher_options* options = nullptr)
{
    usher_worker* const worker = usher_open(options);
    const bool opened = worker != nullptr;
    usher_close(worker);
    return opened ? "opened" : usher_error();
}

} // namespace

TEST_SUITE_BEGIN("usher.h");

TEST_CASE_FIXTURE(Fixture, "it says hello when it is opened and ready when it is told to")
{
    const auto said = [this] { return master.heard(); };
    CHECK(said() == std::vector<wire::ControlMessage>{
                        wire::Hello{.protocol = 1, .max_batch = 64, .fallback = "127.0.0.1:8000"}});
    CHECK(usher_ready(worker) == 0);
    CHECK(said() == std::vector<wire::ControlMessage>{wire::Ready{}});
    CHECK(usher_bye(worker, "a \"quoted\" \\ word\n\x80") == 0);
    CHECK(said() == std::vector<wire::ControlMessage>{wire::Bye{"a \"quoted\" \\ word??"}});
}

TEST_CASE_FIXTURE(Fixture, "it knows who it is, and removes what told it")
{
    usher_identity identity = USHER_IDENTITY_INIT;
    REQUIRE(usher_get_identity(worker, &identity) == 0);
    CHECK(std::string{identity.pool} == "api");
    CHECK(identity.slot == 2);
    CHECK(identity.generation == 3);
    CHECK(identity.id == 7);
    for (const char* const name : {"USHER_PROTOCOL", "USHER_HANDOFF_FD", "USHER_POOL"})
        CHECK(::getenv(name) == nullptr);
}

TEST_CASE_FIXTURE(NoFdLeak, "what it is given is closed when another program is started")
{
    const FakeMaster master;
    const int handoff = given("USHER_HANDOFF_FD");
    const int control = given("USHER_CONTROL_FD");
    usher_worker* const worker = usher_open(nullptr);
    CHECK(is_close_on_exec(handoff));
    CHECK(is_close_on_exec(control));
    usher_close(worker);
}

TEST_CASE_FIXTURE(Fixture, "its descriptor is readable exactly when a connection is there")
{
    CHECK_FALSE(is_readable(usher_fd(worker)));
    hand_off(2);
    CHECK(is_readable(usher_fd(worker)));
    const auto first = accept();
    const auto second = accept();
    CHECK(is_non_blocking(second.get()));
    CHECK(is_close_on_exec(second.get()));
    CHECK(refusal() == EAGAIN);
    CHECK_FALSE(is_readable(usher_fd(worker)));

    write_text(clients[1].get(), "for the second");
    CHECK(read_text(second.get()) == "for the second");
}

TEST_CASE_FIXTURE(Fixture, "a connection comes with all that its record says")
{
    constexpr std::array<std::uint8_t, 16> host{0x20, 1, 0x0d, 0xb8, 9};
    const auto peer = sys::SocketAddress::ipv6(host, 443, 4);
    const auto local = loopback(8080);
    hand_off(1, {.accepted_at = 123,
                 .listener = 5,
                 .flags = 2,
                 .peer = to_wire(peer),
                 .local = to_wire(local)});
    usher_connection connection = USHER_CONNECTION_INIT;
    const auto fd = accept(&connection);
    CHECK(connection.id == 1);
    CHECK(connection.accepted_at == 123);
    CHECK(connection.listener == 5);
    CHECK(connection.reclaims == 2);
    const auto address = [](const sockaddr_storage& storage, socklen_t size) {
        return sys::SocketAddress{reinterpret_cast<const sockaddr*>(&storage), size}.to_string();
    };
    CHECK(address(connection.peer, connection.peer_size) == peer.to_string());
    CHECK(address(connection.local, connection.local_size) == local.to_string());
}

TEST_CASE_FIXTURE(Fixture, "a program that knows a shorter structure gets no more than that")
{
    hand_off(1, {.accepted_at = 123, .listener = 5});
    usher_connection connection = USHER_CONNECTION_INIT;
    connection.size = offsetof(usher_connection, listener);
    connection.listener = 0xffff;
    const auto fd = accept(&connection);
    CHECK(connection.accepted_at == 123);
    CHECK(connection.listener == 0xffff);
    CHECK(connection.size == offsetof(usher_connection, listener));
}

TEST_CASE_FIXTURE(NoFdLeak, "a program that knows a longer structure gets zeros behind")
{
    const FakeMaster master;
    struct {
        usher_identity known;
        std::uint64_t added;
    } longer{.known = {.size = sizeof longer}, .added = 5};
    usher_worker* const worker = usher_open(nullptr);
    CHECK(usher_get_identity(worker, &longer.known) == 0);
    CHECK(longer.known.slot == 2);
    CHECK(longer.added == 0);
    usher_close(worker);
}

TEST_CASE_FIXTURE(Fixture, "accepting allocates nothing")
{
    hand_off(64);
    hand_off(3);
    std::array<int, 68> fds{};
    const auto before = malloc_count();
    for (int& fd : fds) {
        usher_connection connection = USHER_CONNECTION_INIT;
        fd = usher_accept(worker, &connection);
    }
    const auto after = malloc_count();
    CHECK(errno == EAGAIN);
    CHECK(fds[67] == -1);
    for (std::size_t i = 0; i < 67; ++i)
        CHECK(sys::UniqueFd{fds[i]});
    CHECK(after == before);
    CHECK(before > 0); // it does count: usher_open() has allocated
}

TEST_CASE_FIXTURE(Fixture, "counters follow, and never more are done than were accepted")
{
    hand_off(2);
    CHECK(usher_done(worker) == -1);
    CHECK(errno == EINVAL);
    auto first = accept();
    const auto second = accept();
    CHECK(master.page().accepted == 2);
    first.reset();
    CHECK(usher_done(worker) == 0);
    CHECK(master.page().closed == 1);
    CHECK(usher_open_connections(worker) == 1);
    CHECK(usher_done(worker) == 0);
    CHECK(usher_done(worker) == -1);
    CHECK(master.page().closed == 2);
    usher_set_load(worker, 9);
    CHECK(master.page().load == 9);
}

TEST_CASE_FIXTURE(Fixture, "the heartbeat makes the descriptor readable and is stamped by polling")
{
    const std::uint64_t first = master.page().heartbeat;
    CHECK(first != 0);
    REQUIRE(is_readable(usher_fd(worker), std::chrono::seconds{3}));
    CHECK(usher_poll(worker) == 0);
    CHECK(master.page().heartbeat > first);
    CHECK_FALSE(is_readable(usher_fd(worker)));
}

TEST_CASE_FIXTURE(Fixture, "a packet whose descriptors do not fit waits, and is asked for again")
{
    hand_off(4);
    {
        const ScopedFdLimit limit{3};
        CHECK(refusal() == EAGAIN);
        CHECK_FALSE(is_readable(usher_fd(worker))); // nothing spins
        REQUIRE(is_readable(usher_fd(worker), std::chrono::seconds{3}));
        CHECK(refusal() == EAGAIN);
    }
    REQUIRE(is_readable(usher_fd(worker), std::chrono::seconds{3}));
    std::vector<sys::UniqueFd> fds;
    fds.reserve(4);
    for (int i = 0; i < 4; ++i)
        fds.push_back(accept());
    write_text(clients[3].get(), "alive");
    CHECK(read_text(fds[3].get()) == "alive");
}

TEST_CASE_FIXTURE(Fixture, "what others have left no room for is lost, and counted as done")
{
    hand_off(1);
    const auto first = accept(); // sees that the last numbers are free, and asks no more
    hand_off(3);
    const ScopedFdLimit limit{1};
    const auto second = accept();
    CHECK(master.page().accepted == 4);
    CHECK(master.page().closed == 2);
    CHECK(refusal() == EAGAIN);
    CHECK(usher_open_connections(worker) == 2);
}

TEST_CASE_FIXTURE(Fixture, "drain has a deadline, and ends when all are done")
{
    CHECK(usher_draining(worker) == 0);
    CHECK(usher_drain_deadline(worker) == 0);
    hand_off(2);
    master.say("not JSON");
    master.say(wire::encode_drain(std::chrono::seconds{30}));
    master.shut_down();

    const auto first = accept();
    CHECK(usher_draining(worker) == 1);
    const auto in_30_s = monotonic_nanoseconds() + 30'000'000'000U;
    CHECK(usher_drain_deadline(worker) <= in_30_s);
    CHECK(usher_drain_deadline(worker) > in_30_s - 5'000'000'000U);

    const auto second = accept();
    CHECK(refusal() == ESHUTDOWN);
    CHECK(refusal() == ESHUTDOWN);
    CHECK(usher_drained(worker) == 0);
    usher_done(worker);
    usher_done(worker);
    CHECK(usher_drained(worker) == 1);
    CHECK_FALSE(
        is_readable(usher_fd(worker), std::chrono::milliseconds{1'100})); // nor beats any more
}

TEST_CASE_FIXTURE(Fixture, "the master's death is a drain without a deadline")
{
    hand_off(1);
    master.die();
    const auto fd = accept();
    CHECK(refusal() == ESHUTDOWN);
    CHECK(usher_draining(worker) == 1);
    CHECK(usher_drain_deadline(worker) == 0);
    CHECK(usher_drained(worker) == 0);
}

TEST_CASE_FIXTURE(NoFdLeak, "what is no packet is refused without a leak, and the next is taken")
{
    const FakeMaster master;
    auto channel = sys::make_channel_pair();
    ::setenv("USHER_HANDOFF_FD", std::to_string(channel.child.release()).c_str(), 1);
    usher_worker* const worker = usher_open(nullptr);
    REQUIRE(worker != nullptr);

    const auto pair = make_connection();
    const std::array fds{pair.server.get(), pair.server.get()};
    const auto send = [&](std::string_view packet, std::size_t count) {
        REQUIRE_FALSE(
            sys::send_with_fds(channel.parent.get(), bytes(packet), std::span{fds}.first(count)));
    };
    using namespace std::string_literals;
    using namespace std::string_view_literals;
    const std::string good = "\1\0\1\0\x50\0\0\0"s + std::string(80, '\0');
    send("?", 1);                                        // too short
    send("\2\0\1\0\x50\0\0\0"s + std::string(80, 0), 1); // another version
    send("\1\0\0\0\x50\0\0\0"sv, 1);                     // no record
    send("\1\0\1\0\x4f\0\0\0"s + std::string(79, 0), 1); // a record too short
    send(std::string_view{good}.substr(0, 87), 1);       // cut
    send(good + std::string(64UL * 80, '\0'), 1);        // longer than the longest
    send(good, 0);                                       // no descriptor
    send(good, 2);                                       // one too many
    send(good, 1);

    const auto before = open_fd_count();
    for (int i = 0; i < 8; ++i) {
        CAPTURE(i);
        CHECK(usher_accept(worker, nullptr) == -1);
        CHECK(errno == EBADMSG);
    }
    CHECK(open_fd_count() == before);
    const sys::UniqueFd fd{usher_accept(worker, nullptr)};
    CHECK(same_file(fd.get(), pair.server.get()));
    usher_close(worker);
}

TEST_CASE_FIXTURE(Fixture, "closing closes what was not accepted")
{
    hand_off(2);
    const auto first = accept();
    usher_close(worker);
    worker = nullptr;
    CHECK(sees_end(clients[1].get()));
}

TEST_CASE_FIXTURE(NoFdLeak, "a damaged environment is refused with the variable's name")
{
    struct Case {
        const char* name;
        const char* value;
        const char* reason;
    };
    for (const auto& [name, value, reason] : {
             Case{"USHER_PROTOCOL", "2", "the master speaks protocol 2, this program speaks 1"},
             Case{"USHER_PROTOCOL", "", "USHER_PROTOCOL is \"\", which is no number"},
             Case{"USHER_SLOT", "two", "USHER_SLOT is \"two\", which is no number"},
             Case{"USHER_SLOT", "-1", "USHER_SLOT is \"-1\", which is no number"},
             Case{"USHER_WORKER_ID", "99999999999999999999", "which is no number"},
             Case{"USHER_HANDOFF_FD", "12345", "names descriptor 12345, which is not open"},
             Case{"USHER_SLOT", "", "USHER_SLOT is \"\", which is no number"},
             Case{"USHER_SLOT", "1x", "USHER_SLOT is \"1x\", which is no number"},
             Case{"USHER_SLOT", " 1", "USHER_SLOT is \" 1\", which is no number"},
             Case{"USHER_POOL", nullptr, "USHER_POOL is not set although USHER_PROTOCOL is"},
             Case{"USHER_SLOT", nullptr, "USHER_SLOT is not set although USHER_PROTOCOL is"},
             Case{"USHER_GENERATION", nullptr, "USHER_GENERATION is not set although"},
             Case{"USHER_WORKER_ID", nullptr, "USHER_WORKER_ID is not set although"},
             Case{"USHER_HANDOFF_FD", nullptr, "USHER_HANDOFF_FD is not set although"},
             Case{"USHER_CONTROL_FD", nullptr, "USHER_CONTROL_FD is not set although"},
             Case{"USHER_SCOREBOARD_FD", nullptr, "USHER_SCOREBOARD_FD is not set although"},
         }) {
        const FakeMaster master;
        value != nullptr ? ::setenv(name, value, 1) : ::unsetenv(name);
        const auto refusal = open_refusal();
        CAPTURE(refusal);
        CHECK(refusal.find(reason) != std::string::npos);
    }
    {
        const FakeMaster master;
        const auto handoff = std::to_string(given("USHER_HANDOFF_FD"));
        ::setenv("USHER_CONTROL_FD", handoff.c_str(), 1);
        CHECK(open_refusal().find("do not name three descriptors") != std::string::npos);
    }
    const FakeMaster master;
    master.page().version = 2;
    CHECK(open_refusal() == "the scoreboard is of another version than this program's");
}

TEST_CASE_FIXTURE(NoFdLeak, "without a master it listens by itself")
{
    const TempDir folder;
    const auto path = (folder.path() / "socket").string();
    const auto fallback = "Unix:" + path;
    usher_options options = USHER_OPTIONS_INIT;
    options.fallback = fallback.c_str();
    usher_worker* const worker = usher_open(&options);
    REQUIRE(worker != nullptr);
    CHECK(usher_ready(worker) == 0);
    usher_identity identity = USHER_IDENTITY_INIT;
    CHECK(usher_get_identity(worker, &identity) == -1);
    CHECK(errno == ENOENT);

    const auto client = connect_to(sys::SocketAddress::unix_path(path));
    REQUIRE(is_readable(usher_fd(worker), socket_patience));
    usher_connection connection = USHER_CONNECTION_INIT;
    {
        const ScopedFdLimit full{0};
        CHECK(usher_accept(worker, &connection) == -1);
        CHECK(errno == EAGAIN);
        CHECK_FALSE(is_readable(usher_fd(worker)));
    }
    REQUIRE(is_readable(usher_fd(worker), socket_patience));
    const sys::UniqueFd fd{usher_accept(worker, &connection)};
    REQUIRE(fd);
    CHECK(connection.id != 0);
    CHECK(connection.peer.ss_family == AF_UNIX);
    CHECK(usher_open_connections(worker) == 1);
    CHECK(usher_drained(worker) == 0);
    CHECK(open_refusal(&options) == fallback + ": Address already in use");
    usher_close(worker);
}

TEST_CASE("wrong options are refused in one sentence")
{
    usher_options options = USHER_OPTIONS_INIT;
    for (const char* const text : {"", "http", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:8o",
                                   ":1", "localhost:80", "[::1:80", "unix:", "1.2.3.4:5:6"}) {
        CAPTURE(text);
        options.fallback = text;
        CHECK(open_refusal(&options).starts_with("\"" + std::string{text} + "\" is no address"));
    }
    options = USHER_OPTIONS_INIT;
    options.max_batch = 65;
    CHECK(open_refusal(&options) == "max_batch is 65, and goes from 1 to 64");
}

TEST_CASE("IPv4 and IPv6 are listened on as written")
{
    usher_options options = USHER_OPTIONS_INIT;
    for (const char* const text :
         {"127.0.0.1:0", "[::1]:0", "[fe80::1%lo]:0", "[fe80::1%1]:0", "0"}) {
        CAPTURE(text);
        options.fallback = text;
        const auto result = open_refusal(&options);
        CHECK((result == "opened" || result.ends_with("Cannot assign requested address")));
    }
    CHECK(std::string{usher_version()} == USHER_VERSION);
}

TEST_SUITE_END();

} // namespace usher::usher_test
