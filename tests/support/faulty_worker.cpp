// SPDX-License-Identifier: MIT
// A worker that misbehaves, for tests:  faulty-worker MODE GOOD-WORKER [ARG...]
//
// In slot 1 it does what MODE says; in every other slot it becomes the good worker.
#include "common/scoreboard.hpp"
#include "common/sys/socket/fd_message.hpp"
#include "common/wire/control.hpp"
#include "common/wire/environment.hpp"
#include "common/wire/handoff.hpp"
#include "tests/support/worker_words.hpp"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

namespace env = usher::wire::env;
namespace wire = usher::wire;

int number(const char* name)
{
    const char* const text = std::getenv(name);
    return text != nullptr ? std::atoi(text) : -1;
}

void send(std::string_view packet, std::span<const int> fds = {})
{
    std::ignore =
        usher::sys::send_with_fds(number(env::control_fd), std::as_bytes(std::span{packet}), fds);
}

void say_hello()
{
    send(wire::encode(wire::Hello{.protocol = env::protocol_version, .max_batch = 64}));
}

void become_ready()
{
    say_hello();
    send(wire::encode(wire::Ready{}));
}

/// Becomes ready and does `answer` with each connection it is handed.
void take_connections(const std::function<void(int)>& answer)
{
    become_ready();
    auto board = usher::Scoreboard::open(number(env::scoreboard_fd));
    std::vector<std::byte> buffer(wire::max_handoff_packet);
    usher::sys::FdMessage message;
    for (pollfd entry{.fd = number(env::handoff_fd), .events = POLLIN, .revents = 0};
         ::poll(&entry, 1, -1) == 1 && !usher::sys::recv_with_fds(entry.fd, buffer, message) &&
         message.size > 0;) {
        board.page().accepted += message.fds.size();
        for (const auto& fd : message.fds)
            answer(fd.get());
        board.page().closed += message.fds.size();
        message.fds.clear();
    }
}

void scribble(const std::function<void(usher::ScoreboardPage&)>& write)
{
    become_ready();
    auto board = usher::Scoreboard::open(number(env::scoreboard_fd));
    write(board.page());
}

const std::map<std::string_view, std::function<void()>> modes{
    {"exit", [] { std::exit(1); }},
    {"never-take", become_ready},
    {"garbage", [] { become_ready(), send("\x01\x02 this is not JSON"); }},
    {"truncated-hello", [] { send(R"({"type":"hello","proto)"); }},
    {"wrong-protocol", [] { send(R"({"type":"hello","protocol":99})"); }},
    {"hello-twice", [] { say_hello(), say_hello(); }},
    {"ready-first", [] { send(wire::encode(wire::Ready{})); }},
    {"batch-of-none", [] { send(R"({"type":"hello","protocol":1,"max_batch":0})"); }},
    {"too-long", [] { become_ready(), send(std::string(wire::max_control_message + 1, 'x')); }},
    {"descriptors",
     [] {
         become_ready();
         const std::array fds{0, 1, 2};
         send(wire::encode(wire::Ready{}), fds);
     }},
    {"unknown-type", [] { become_ready(), send(R"({"type":"from-the-future","x":1})"); }},
    {"scribble-head",
     [] {
         scribble([](auto& page) {
             std::memset(static_cast<void*>(&page), 0xff, usher::scoreboard_size);
         });
     }},
    {"scribble-accepted", [] { scribble([](auto& page) { page.accepted = 1'000'000; }); }},
    {"scribble-closed", [] { scribble([](auto& page) { page.closed = 1'000'000; }); }},
    {"hang-up", [] { take_connections([](int) {}); }},
    {"answer-garbage",
     [] {
         take_connections([](int fd) {
             constexpr std::string_view text = "\x16\x03\x01 this is not HTTP\r\n\r\n";
             std::ignore = ::write(fd, text.data(), text.size());
         });
     }},
    {"answer-endlessly",
     [] {
         std::signal(SIGPIPE, SIG_IGN);
         take_connections([](int fd) {
             ::fcntl(fd, F_SETFL, 0); // wait for the reader
             const std::string text = "HTTP/1.1 200 OK\r\nX: " + std::string(4'000, 'x');
             while (::write(fd, text.data(), text.size()) > 0) {
             }
         });
     }},
    {"shut-down", [] { become_ready(), ::shutdown(number(env::handoff_fd), SHUT_RD); }},
    {"shut-down-late",
     [] {
         become_ready();
         pollfd entry{.fd = number(env::handoff_fd), .events = POLLIN, .revents = 0};
         ::poll(&entry, 1, -1); // something is queued
         ::shutdown(entry.fd, SHUT_RDWR);
     }},
    {"close-control", [] { become_ready(), ::close(number(env::control_fd)); }},
};

} // namespace

int main(int argc, char** argv)
{
    if (argc < 3 || !modes.contains(argv[1]))
        return std::fputs("usage: faulty-worker MODE GOOD-WORKER [ARG...]\n", stderr), 2;

    if (number(env::slot) != 1) {
        ::execv(argv[2], argv + 2);
        return 127;
    }
    modes.at(argv[1])();
    for (;;)
        ::pause(); // until the master sends SIGTERM
}
