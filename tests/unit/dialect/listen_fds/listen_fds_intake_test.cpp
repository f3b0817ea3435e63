// SPDX-License-Identifier: MIT
#include "balancer/dialect/listen_fds/listen_fds_intake.hpp"

#include "balancer/listen/same_address.hpp"
#include "common/sys/socket/accept.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace usher::listen_fds_intake_test {

using namespace usher::test;

namespace {

struct Fixture {
    boost::asio::io_context io;
    EventBus events;
    ResolvedPool config;
    std::shared_ptr<const ResolvedPool> pool;
    std::optional<ListenFdsIntake> intake;
    std::map<std::string, std::string> environment;

    explicit Fixture(uid_t user = ::geteuid())
    {
        config.dialect = Dialect::listen_fds;
        config.listen = {{.address = "127.0.0.1:0"}};
        config.account.user = user;
        pool = std::make_shared<const ResolvedPool>(config);
        intake.emplace(io.get_executor(), config, events);
        SocketSource sockets;
        intake->prepare(config, sockets).commit();
    }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture() { intake->close({}); }

    std::shared_ptr<WorkerLink> start() { return intake->connect(pool, {}); }
};

} // namespace

TEST_SUITE_BEGIN("listen_fds_intake");

TEST_CASE_FIXTURE(Fixture,
                  "without memory connections go where they went before, and nobody dies of it")
{
    const auto one = start();
    const auto two = start();
    one->attach();
    two->attach();

    const auto said = events.recent().size();
    fail_allocations(true);
    one->detach();
    fail_allocations(false);
    CHECK(events.recent().size() == said);
    one->attach();
    one->detach();
}

TEST_CASE("what is prepared is taken over as a whole, also without memory")
{
    boost::asio::io_context io;
    EventBus events;
    ResolvedPool config;
    config.dialect = Dialect::listen_fds;
    config.listen = {{.address = "127.0.0.1:0", .name = "one"},
                     {.address = "127.0.0.2:0", .name = "two"}};
    ListenFdsIntake intake{io.get_executor(), config, events};
    SocketSource sockets;
    bool has_thrown = false;
    for (int i = 0; i < 2; ++i) { // the first opens, the second changes
        const auto change = intake.prepare(config, sockets);
        fail_allocations(true);
        try {
            change.commit();
        } catch (const std::exception&) {
            has_thrown = true;
        }
        fail_allocations(false);
        CHECK(std::ranges::equal(intake.addresses(), change.addresses, is_same));
        config.backlog = 7;
    }
    CHECK_FALSE(has_thrown);
    CHECK(intake.socket_names() == "one:two");
    intake.close({});
}

TEST_CASE_FIXTURE(Fixture, "a worker that there is no memory for takes no socket away")
{
    const auto given = start()->equip(environment, 3).descriptors;

    fail_allocations(true);
    CHECK_THROWS_AS(std::ignore = start(), std::bad_alloc);
    fail_allocations(false);
    CHECK(start()->equip(environment, 3).descriptors == given);
}

TEST_CASE_FIXTURE(Fixture, "whose start has failed may go without memory, and nobody dies of it")
{
    auto worker = start();
    ::shutdown(worker->equip(environment, 3).descriptors.front(), SHUT_RDWR);
    fail_allocations(true);
    worker.reset(); // which is to be said, and cannot be
    fail_allocations(false);
    CHECK(start() != nullptr); // its seat is free
}

namespace {

std::size_t listening_sockets()
{
    std::size_t count = 0;
    for (int fd = 3; fd < 256; ++fd)
        count += sys::socket_option(fd, SO_ACCEPTCONN) == 1 ? 1 : 0;
    return count;
}

} // namespace

TEST_CASE("a socket that is opened anew is for new workers, and those before keep the old one")
{
    const auto none = listening_sockets();
    const TempDir folder;
    const auto path = (folder.path() / "s").string();
    boost::asio::io_context io;
    EventBus events;
    ResolvedPool config;
    config.dialect = Dialect::listen_fds;
    config.listen = {{.address = "unix:" + path}};
    config.account.user = ::geteuid();
    const auto pool = std::make_shared<const ResolvedPool>(config);
    ListenFdsIntake intake{io.get_executor(), config, events};
    SocketSource nothing;
    intake.prepare(config, nothing).commit();
    const auto needs_workers = [&] { return intake.prepare(config, nothing).begin != nullptr; };
    std::map<std::string, std::string> environment;
    const auto sockets = listening_sockets();
    auto before = intake.connect(pool, {});
    before->attach();
    const auto old = before->equip(environment, 3).descriptors;
    CHECK_FALSE(needs_workers());

    std::filesystem::remove(path);
    SocketSource source;
    source.opened.open({{.config = config.listen[0], .backlog = 16, .held = intake.files()[0]}});
    const auto change = intake.prepare(config, source);
    CHECK(change.opens == std::vector<std::string>{"unix:" + path});
    REQUIRE(change.begin);
    change.begin();
    CHECK(needs_workers()); // if nothing comes of this reload
    auto after = intake.connect(pool, {});
    CHECK(after->equip(environment, 3).descriptors != old);
    CHECK(sys::socket_option(old[0], SO_ACCEPTCONN) == 1);
    after->attach();
    change.commit();
    before->detach();
    CHECK_FALSE(needs_workers());

    before.reset();
    CHECK(eventually([&] { return listening_sockets() == sockets; })); // by threads
    CHECK(intake.files()[0].is_there());
    CHECK(intake.connect(pool, {})->equip(environment, 3).descriptors ==
          after->equip(environment, 3).descriptors); // in the place that is free now
    after.reset();
    intake.close({});
    CHECK(eventually([&] { return listening_sockets() == none; }));
}

TEST_CASE_FIXTURE(Fixture,
                  "no socket is left without a worker where another is ready and nobody waits")
{
    const auto before = listening_sockets();
    auto one = start();
    auto two = start();
    one->attach();
    two->attach();
    CHECK(listening_sockets() == before + 2);

    two->detach();
    two->finish(); // at once, so that somebody may be just connecting there
    CHECK(listening_sockets() == before + 2);
    two = start();
    two->attach();
    CHECK(listening_sockets() == before + 2);

    two->detach();
    std::this_thread::sleep_for(ListenFdsIntake::handshake_time);
    CHECK(listening_sockets() == before + 2); // it accepts what it has got
    two->finish();
    CHECK(listening_sockets() == before + 1);

    one->detach();
    std::this_thread::sleep_for(ListenFdsIntake::handshake_time);
    one->finish(); // whoever comes now waits there
    CHECK(listening_sockets() == before + 1);
}

namespace {

/// A pool of another user's workers, each of which can do what it likes with its socket.
struct OthersFixture : Fixture {
    OthersFixture() : Fixture{::geteuid() + 1} {}

    int socket_of(const WorkerLink& worker)
    {
        return worker.equip(environment, 3).descriptors.front();
    }

    sys::UniqueFd connect() { return connect_to(intake->addresses().front()); }
};

constexpr int mark = 42;

void deafen(int socket)
{
    REQUIRE(::setsockopt(socket, IPPROTO_IP, IP_TTL, &mark, sizeof mark) == 0);
}

bool is_deaf(int socket)
{
    int value = 0;
    socklen_t size = sizeof value;
    REQUIRE(::getsockopt(socket, IPPROTO_IP, IP_TTL, &value, &size) == 0);
    return value == mark;
}

} // namespace

TEST_CASE_FIXTURE(OthersFixture, "no worker gets a socket that another user's had before it")
{
    auto one = start();
    auto two = start();
    for (auto* const worker : {&one, &two}) { // the last is replaced, so that nobody is refused
        deafen(socket_of(**worker));
        (*worker)->finish();
    }
    const auto client = connect();
    one = start();
    two = start();
    CHECK_FALSE(is_deaf(socket_of(*one)));
    CHECK_FALSE(is_deaf(socket_of(*two)));
    CHECK(sys::waiting_in_backlog(socket_of(*one)) == 1);
}

TEST_CASE_FIXTURE(OthersFixture, "a socket where somebody waits is handed on all the same")
{
    auto worker = start();
    worker->attach();
    const auto client = connect();
    const int socket = socket_of(*worker);
    worker->finish();
    worker = start();
    CHECK(socket_of(*worker) == socket);
    CHECK(sys::waiting_in_backlog(socket) == 1);
}

TEST_CASE_FIXTURE(OthersFixture, "a socket that no process was given is nobody's to have made deaf")
{
    auto worker = start();
    const int socket = socket_of(*worker);
    deafen(socket);
    worker.reset(); // its start has failed
    worker = start();
    CHECK(socket_of(*worker) == socket);
    CHECK(is_deaf(socket)); // as a sign that it is the same one
}

TEST_CASE_FIXTURE(OthersFixture, "without a fresh socket the next worker gets the one there is")
{
    auto worker = start();
    fail_allocations(true);
    worker->finish();
    fail_allocations(false);
    const auto client = connect();
    worker = start();
    CHECK(sys::waiting_in_backlog(socket_of(*worker)) == 1);
}

TEST_SUITE_END();

} // namespace usher::listen_fds_intake_test
