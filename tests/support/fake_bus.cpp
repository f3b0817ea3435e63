// SPDX-License-Identifier: MIT
#include "tests/support/fake_bus.hpp"

#include "common/sys/syscall.hpp"
#include "tests/support/sockets.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace usher::test {

namespace {

constexpr const char* variable = "USHER_BUS_FD";

ino_t inode_of(int fd)
{
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

} // namespace

FakeBus::FakeBus()
{
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()) < 0 ||
        ::fcntl(fds[0], F_SETFD, FD_CLOEXEC) < 0)
        sys::throw_last_error("socketpair");
    fd_.reset(fds[0]);
    given_ = fds[1];
    inode_ = inode_of(given_);
    ::setenv(variable, std::to_string(given_).c_str(), 1);
}

FakeBus::~FakeBus()
{
    ::unsetenv(variable);
    if (inode_of(given_) == inode_)
        ::close(given_);
}

void FakeBus::write(std::string_view text) const
{
    const auto size = ::send(fd_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0)
        sys::throw_last_error("send");
    if (static_cast<std::size_t>(size) != text.size())
        throw std::system_error{std::make_error_code(std::errc::no_buffer_space), "send"};
}

void FakeBus::welcome()
{
    if (heard() != std::vector<std::string>{"", R"({"type":"hello","protocol":1})"})
        throw std::logic_error{"the bus was not opened by a hello"};
    say(R"({"type":"welcome","protocol":1,"pool":"web","slot":2,"worker":7,"generation":1,)"
        R"("group":"web"})");
}

std::vector<std::string> FakeBus::heard()
{
    std::array<char, 65536> buffer{};
    for (;;) {
        const auto size = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (size < 0 && errno != EAGAIN)
            sys::throw_last_error("recv");
        if (size <= 0)
            break;
        text_.append(buffer.data(), static_cast<std::size_t>(size));
    }
    std::vector<std::string> lines;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = text_.find('\n', begin)) != std::string::npos; begin = end + 1)
        lines.push_back(text_.substr(begin, end - begin));
    text_.erase(0, begin);
    return lines;
}

OtherBusOwner::OtherBusOwner(const FakeBus& bus)
{
    std::array<int, 2> pipe{};
    if (::pipe(pipe.data()) < 0)
        sys::throw_last_error("pipe");
    const sys::UniqueFd reader{pipe[0]};
    sys::UniqueFd writer{pipe[1]};
    if ((pid_ = ::fork()) < 0)
        sys::throw_last_error("fork");
    if (pid_ == 0) {
        struct flock whole {};
        whole.l_type = F_WRLCK;
        constexpr std::string_view half = R"({"type":"publ)";
        if (::fcntl(bus.given(), F_SETLK, &whole) < 0 ||
            ::write(bus.given(), half.data(), half.size()) < 0 || ::write(writer.get(), "", 1) < 0)
            ::_exit(1);
        for (;;)
            ::pause();
    }
    writer.reset();
    char is_done = 0;
    if (::read(reader.get(), &is_done, 1) != 1)
        throw std::logic_error{"the other process cannot open the bus"};
}

void OtherBusOwner::end() noexcept
{
    if (const auto pid = std::exchange(pid_, 0); pid > 0) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
}

} // namespace usher::test
