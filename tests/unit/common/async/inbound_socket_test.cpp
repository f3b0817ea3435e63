// SPDX-License-Identifier: MIT
#include "common/async/inbound_socket.hpp"

#include "common/async/helper_thread.hpp"
#include "common/sys/fd/pipe.hpp"
#include "common/sys/socket/channel_pair.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/no_threads.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/sockets.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace usher::inbound_socket_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

/// A connection whose last close waits for that long.
sys::UniqueFd lingering(const TestListener& listener, int seconds = 2)
{
    auto client = connect_to(listener.address);
    const std::vector<char> much(1 << 16);
    while (::send(client.get(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
    const linger lasting{.l_onoff = 1, .l_linger = seconds};
    REQUIRE(::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &lasting, sizeof lasting) == 0);
    return client;
}

/// One that others send to, and hears one message.
struct End {
    std::unique_ptr<InboundSocket> socket;
    sys::UniqueFd other_end;
    std::array<std::byte, 64> buffer{};
    bool is_heard = false;

    void open(boost::asio::io_context& io)
    {
        auto pair = sys::make_channel_pair(SOCK_SEQPACKET);
        other_end = std::move(pair.child);
        socket = std::make_unique<InboundSocket>(io.get_executor(), std::move(pair.parent),
                                                 InboundSocket::Senders::others);
        socket->keep_receiving(buffer, [this](std::error_code, const InboundSocket::Message&) {
            return !std::exchange(is_heard, true);
        });
    }
};

/// One byte with `fd`, as a process of `user` sends it.
void send_as(uid_t user, int socket, int fd)
{
    char byte = 'x';
    iovec part{.iov_base = &byte, .iov_len = 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(ucred))]{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    auto* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    auto* const sender = CMSG_NXTHDR(&header, rights);
    sender->cmsg_level = SOL_SOCKET;
    sender->cmsg_type = SCM_CREDENTIALS;
    sender->cmsg_len = CMSG_LEN(sizeof(ucred));
    const ucred who{.pid = ::getpid(), .uid = user, .gid = user};
    std::memcpy(CMSG_DATA(sender), &who, sizeof who);
    REQUIRE(::sendmsg(socket, &header, 0) == 1);
}

struct Fixture : NoFdLeak {
    struct Heard {
        std::string text;
        std::size_t descriptors;
    };

    boost::asio::io_context io;
    sys::UniqueFd other_end;
    std::unique_ptr<InboundSocket> socket;
    std::array<std::byte, 64> buffer{};
    std::vector<Heard> heard;
    bool has_ended = false;

    void open(int type, InboundSocket::Senders senders = InboundSocket::Senders::others)
    {
        auto pair = sys::make_channel_pair(type);
        other_end = std::move(pair.child);
        socket =
            std::make_unique<InboundSocket>(io.get_executor(), std::move(pair.parent), senders);
    }

    void start()
    {
        socket->keep_receiving(
            buffer, [this](std::error_code error, const InboundSocket::Message& message) {
                has_ended = error || message.size == 0;
                if (!has_ended)
                    heard.push_back(
                        {.text = {reinterpret_cast<const char*>(buffer.data()), message.size},
                         .descriptors = message.descriptors});
                return !has_ended;
            });
    }

    void send(std::string_view text, int fd = -1, int flags = 0) const
    {
        std::size_t sent = 0;
        if (flags == 0) {
            REQUIRE_FALSE(sys::send_stream(other_end.get(), bytes(text), fd, sent));
            REQUIRE(sent == text.size());
        } else {
            REQUIRE(::send(other_end.get(), text.data(), text.size(), flags) ==
                    static_cast<ssize_t>(text.size()));
        }
    }

    bool run_until_heard(std::size_t count)
    {
        return run_until(io, [&] { return heard.size() >= count || has_ended; });
    }
};

} // namespace

TEST_SUITE_BEGIN("inbound_socket");

TEST_CASE_FIXTURE(Fixture, "messages are heard in order, with or without descriptors, by whomever")
{
    for (const auto senders : {InboundSocket::Senders::ours, InboundSocket::Senders::others})
        for (const int type : {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM}) {
            CAPTURE(type);
            heard.clear();
            has_ended = false;
            open(type, senders);
            start();
            auto pipe = sys::make_pipe_to_read();
            send("one");
            REQUIRE(run_until_heard(1));
            send("two", pipe.writer.get());
            send("three");
            pipe.writer.reset();
            REQUIRE(run_until_heard(3));
            CHECK(heard[0].text == "one");
            CHECK(heard[0].descriptors == 0);
            CHECK(heard[1].text == "two");
            CHECK(heard[1].descriptors == 1);
            CHECK(heard[2].text == "three");
            CHECK(heard[2].descriptors == 0);
            char c = 0;
            CHECK(eventually([&] { return ::read(pipe.reader.get(), &c, 1) == 0; }));
            if (type != SOCK_DGRAM) {
                other_end.reset();
                CHECK(run_until(io, [&] { return has_ended; }));
            }
            socket->close();
            CHECK(run_to_end(io));
            io.restart();
        }
    CHECK(eventually([] { return !HelperThreads::any_left(); }));
}

TEST_CASE_FIXTURE(Fixture,
                  "what others send is neither installed here, nor does its close hold us up")
{
    const auto listener = listen_on(loopback(0));
    const auto begin = std::chrono::steady_clock::now();
    bool is_stream = false;
    SUBCASE("in a packet")
    {
        open(SOCK_SEQPACKET);
    }
    SUBCASE("in a stream")
    {
        open(SOCK_STREAM);
        is_stream = true;
    }
    start();
    const auto before = open_fd_count();
    {
        const auto client = lingering(listener);
        send("bad", client.get());
    }
    // It is in the kernel's hands alone, on both the way and the thread.
    for (int i = 0; i < 20; ++i) {
        CHECK(open_fd_count() <= before + 1); // a copy of our own socket
        io.run_for(5ms);
    }
    if (is_stream) // the end is in sight all the same
        socket->close();
    CHECK(std::chrono::steady_clock::now() - begin < 1s);
    if (!is_stream) {
        REQUIRE(run_until_heard(1));
        CHECK(heard[0].descriptors == 1);
        socket->close();
    }
    other_end.reset();
    CHECK(eventually([] { return !HelperThreads::any_left(); }));
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "what was sent out of band is no secret way")
{
    const auto listener = listen_on(loopback(0));
    open(SOCK_STREAM);
    start();
    const auto begin = std::chrono::steady_clock::now();
    {
        const auto client = lingering(listener);
        char byte = 'x';
        iovec part{.iov_base = &byte, .iov_len = 1};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        auto* const rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        *reinterpret_cast<int*>(CMSG_DATA(rights)) = client.get();
        if (::sendmsg(other_end.get(), &header, MSG_OOB) != 1) {
            MESSAGE("not run: this kernel knows none in Unix sockets");
            socket->close();
            return;
        }
    }
    send("next");
    io.run_for(100ms);
    CHECK(std::chrono::steady_clock::now() - begin < 1s);
    REQUIRE(run_until_heard(2));
    CHECK(heard[0].text == "x");
    CHECK(heard[0].descriptors == 1);
    CHECK(heard[1].text == "next");
    socket->close();
    CHECK(eventually([] { return !HelperThreads::any_left(); }));
}

TEST_CASE_FIXTURE(Fixture,
                  "a close leaves to a thread what is unread, and a child inherits nothing")
{
    const auto listener = listen_on(loopback(0));
    open(SOCK_SEQPACKET);
    {
        const auto client = lingering(listener);
        send("unread", client.get());
        send("and another");
    }
    const auto begin = std::chrono::steady_clock::now();
    socket->close();
    CHECK(std::chrono::steady_clock::now() - begin < 1s);
    char byte = 'x';
    CHECK(::send(other_end.get(), &byte, 1, MSG_NOSIGNAL) < 0);
}

TEST_CASE("a user whose messages are stuck has 16 threads, and holds up no other user")
{
    if (::geteuid() != 0) {
        MESSAGE("left out: only root can send as somebody else");
        return;
    }
    const NoFdLeak no_leak;
    constexpr uid_t stuck = 65'534;
    constexpr uid_t other = 65'533;
    const auto listener = listen_on(loopback(0));
    boost::asio::io_context io;
    std::vector<End> ends(19); // the last is the other user's, that before it is closed meanwhile
    for (auto& end : ends) {
        end.open(io);
        if (&end != &ends.back())
            send_as(stuck, end.other_end.get(), lingering(listener, 5).get());
    }
    const auto before = open_fd_count();
    run_ready(io);
    CHECK(open_fd_count() == before + 16); // each has a copy
    send_as(other, ends.back().other_end.get(), sys::make_pipe_to_read().writer.get());
    REQUIRE(run_until(io, [&] { return ends.back().is_heard; }));
    const auto is_heard = [](const End& end) { return end.is_heard; };
    CHECK(std::ranges::count_if(ends, is_heard) == 1);
    run_ready(io);
    io.restart();
    CHECK(io.run_for(500ms) == 0); // nobody looks whether there is room

    ends[17].socket->close();
    REQUIRE(run_until(io, [&] { return std::ranges::count_if(ends, is_heard) == 18; }));
    CHECK_FALSE(ends[17].is_heard);
    for (auto& end : ends)
        end.socket->close();
    CHECK(run_to_end(io));
    CHECK(eventually([] { return !HelperThreads::any_left(); }));
}

TEST_CASE("while there is no thread, sockets with descriptors do not wake each other")
{
    const NoFdLeak no_leak;
    boost::asio::io_context io;
    std::array<End, 3> ends;
    for (auto& end : ends) {
        end.open(io);
        send_as(::geteuid(), end.other_end.get(), sys::make_pipe_to_read().writer.get());
    }
    {
        const NoThreads none;
        CHECK(io.run_for(1s) < 300); // a look each 100 ms, and what belongs to it
    }
    REQUIRE(run_until(io, [&] { return std::ranges::all_of(ends, &End::is_heard); }));
    for (auto& end : ends)
        end.socket->close();
    CHECK(run_to_end(io));
    CHECK(eventually([] { return !HelperThreads::any_left(); }));
}

TEST_CASE_FIXTURE(Fixture, "where no honest sender has any they can be refused at once")
{
    open(SOCK_SEQPACKET);
    const bool can = sys::refuse_fds(socket->fd());
    socket->refuse_descriptors();
    std::size_t sent = 0;
    const auto error = sys::send_stream(other_end.get(), bytes("bad"), 0, sent);
    CHECK((error == std::errc::operation_not_permitted) == can);
    socket->close();
}

TEST_SUITE_END();

} // namespace usher::inbound_socket_test
