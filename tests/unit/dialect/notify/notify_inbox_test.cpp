// SPDX-License-Identifier: MIT
#include "balancer/dialect/notify/notify_inbox.hpp"

#include "common/async/closing_thread.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/nobody.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/scarce_watches.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace usher::notify_inbox_test {

using namespace usher::test;

namespace {

/// Async-signal-safe apart from what `fd` takes.
bool send_to(const std::string& address, std::string_view text, int fd = -1)
{
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    address.copy(to.sun_path, sizeof to.sun_path);
    const bool is_abstract = address.starts_with('@');
    if (is_abstract)
        to.sun_path[0] = '\0';
    iovec part{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
    msghdr header{};
    header.msg_name = &to;
    header.msg_namelen =
        static_cast<socklen_t>(sizeof to.sun_family + address.size() + (is_abstract ? 0 : 1));
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
    if (fd >= 0) {
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        auto* const message = CMSG_FIRSTHDR(&header);
        message->cmsg_level = SOL_SOCKET;
        message->cmsg_type = SCM_RIGHTS;
        message->cmsg_len = CMSG_LEN(sizeof(int));
        *reinterpret_cast<int*>(CMSG_DATA(message)) = fd;
    }
    const sys::UniqueFd out{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    return ::sendmsg(out.get(), &header, MSG_DONTWAIT) == static_cast<ssize_t>(text.size());
}

/// True if a process of the user nobody can say that it is ready.
bool can_nobody_send(const std::string& address)
{
    const pid_t child = ::fork();
    if (child == 0) {
        become_nobody();
        ::_exit(send_to(address, "READY=1") ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return status == 0;
}

struct Fixture : NoFdLeak {
    boost::asio::io_context io;
    std::shared_ptr<NotifyInbox> inbox;
    std::vector<Notification> heard;

    ~Fixture() { remove_inbox_folder(); }

    void start(uid_t user) { start(user, open_inbox(user)); }

    void start(uid_t user, InboxSocket socket)
    {
        CHECK(socket.trouble == "");
        inbox = std::make_shared<NotifyInbox>(io.get_executor(), user, std::move(socket));
        inbox->start([this](const Notification& message) { heard.push_back(message); });
    }
};

} // namespace

TEST_SUITE_BEGIN("notify_inbox");

TEST_CASE_FIXTURE(Fixture, "each message is heard, whatever came with it")
{
    start(::getuid());
    const auto path = inbox->address();
    CHECK(path.starts_with("/"));
    REQUIRE(send_to(path, "READY=1"));
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    REQUIRE(send_to(inbox->address(), "BARRIER=1", ends[1])); // sd_notify_barrier(3)
    ::close(ends[1]);
    REQUIRE(send_to(inbox->address(), std::string(6000, 'x')));
    REQUIRE(send_to(inbox->address(), "STATUS=done"));
    REQUIRE(run_until(io, [this] { return heard.size() == 4; }));
    CHECK(heard[0].ready);
    CHECK(heard[3].status == "done");
    char c = 0;
    CHECK(::read(ends[0], &c, 1) == 0); // the barrier is passed
    ::close(ends[0]);
    inbox->close();
    finish_elsewhere(std::chrono::seconds{10});
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE_FIXTURE(Fixture, "who sends more than there is to say waits, and the event loop does not")
{
    start(::getuid());
    int sent = 0;
    for (int tries = 0; tries < 10'000; ++tries) {
        sent += send_to(inbox->address(), "WATCHDOG=1") ? 1 : 0;
        run_ready(io);
    }
    CHECK(heard.size() == 1'001);
    CHECK(sent > 1'001); // and some wait
    CHECK(sent < 9'000);
    inbox->close();
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "nobody can send but the worker's user, root and ourselves")
{
    if (!can_run_as_nobody({}))
        return;
    start(::getuid());
    CHECK_FALSE(can_nobody_send(inbox->address()));
    REQUIRE(send_to(inbox->address(), "STATUS=ours"));
    REQUIRE(run_until(io, [this] { return !heard.empty(); }));
    CHECK(heard.front().status == "ours");
    inbox->close();

    heard.clear();
    start(::getpwnam("nobody")->pw_uid);
    CHECK(can_nobody_send(inbox->address()));
    REQUIRE(run_until(io, [this] { return !heard.empty(); }));
    CHECK(heard.front().ready);
    inbox->close();
}

TEST_CASE_FIXTURE(Fixture, "where there is no file strangers can send, and are not heard")
{
    if (!can_run_as_nobody({}))
        return;
    InboxSocket socket;
    socket.address = "@usher-test-" + std::to_string(::getpid());
    sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
    socket.address.copy(name.sun_path, sizeof name.sun_path);
    name.sun_path[0] = '\0';
    const sys::SocketAddress address{
        reinterpret_cast<const sockaddr*>(&name),
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.address.size())};
    REQUIRE_FALSE(sys::open_bound_socket(address, {.type = SOCK_DGRAM}, socket.fd));
    start(::getuid(), std::move(socket));
    CHECK(can_nobody_send(inbox->address()));
    REQUIRE(send_to(inbox->address(), "STATUS=ours"));
    REQUIRE(run_until(io, [this] { return !heard.empty(); }));
    CHECK(heard.front().status == "ours");
    inbox->close();
}

TEST_CASE_FIXTURE(Fixture, "what cannot be watched leaves no file behind")
{
    start(::getuid());
    const auto parent = std::filesystem::path{inbox->address()}.parent_path();
    inbox->close();
    refuse_watches(true);
    CHECK_THROWS_AS(start(::getuid()), std::system_error);
    refuse_watches(false);
    finish_elsewhere(std::chrono::seconds{10});
    CHECK(std::filesystem::is_empty(parent));
}

TEST_SUITE_END();

} // namespace usher::notify_inbox_test
