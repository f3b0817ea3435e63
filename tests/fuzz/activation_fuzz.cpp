// SPDX-License-Identifier: MIT
//
// Whatever the variables of a service manager say, the sockets of it are taken over or refused, and
// none is left open without an owner.
#include "balancer/listen/inherited_sockets.hpp"
#include "balancer/systemd/libsystemd.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace usher;
using namespace usher::fuzz;

namespace {

// A service manager gives them from 3 on; here that is where they are put.
constexpr int first = 3;
constexpr std::array types{SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM};
constexpr int beyond = first + static_cast<int>(types.size());

bool is_open(int fd) noexcept
{
    return ::fcntl(fd, F_GETFD) >= 0;
}

/// A TCP socket that listens, one that does not, and a UDP socket.
void open_sockets()
{
    for (int fd = first; fd < beyond; ++fd) {
        const int type = types.at(static_cast<std::size_t>(fd - first));
        const int socket = ::socket(AF_INET, type, 0);
        require(socket >= 0);
        if (socket != fd) {
            require(::dup2(socket, fd) == fd);
            ::close(socket);
        }
    }
    require(::listen(first, 1) == 0);
    require(::close_range(beyond, ~0U, 0) == 0); // so that nothing else can be announced
}

/// One NAME=VALUE a line; PID stands for our own process.
void set_variables(std::string_view text)
{
    for (const char* const name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}) {
        ::unsetenv(name);
        const auto start = text.find(std::string{name} + "=");
        if (start == std::string_view::npos)
            continue;
        auto line = text.substr(start, text.find('\n', start) - start);
        line.remove_prefix(line.find('=') + 1);
        ::setenv(name,
                 line == "PID" ? std::to_string(::getpid()).c_str() : std::string{line}.c_str(), 1);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    open_sockets();
    set_variables(text_of(data, size));
    const ListenConfig web{.address = "127.0.0.1:1", .name = "web"};
    std::size_t count = 0;
    try {
        auto passed = systemd::take_descriptors();
        count = passed.size();
        InheritedSockets sockets;
        for (auto& [fd, name] : passed)
            sockets.add(std::move(fd), std::move(name));
        for (const auto& problem : sockets.assign({web}))
            require(is_one_line(problem));
        for (const auto& socket : sockets.take(web, 1))
            require(socket.fd.get() == first);
    } catch (const std::runtime_error& error) {
        require(is_one_line(error.what()));
    }
    require(count <= types.size());
    for (int fd = first; fd < beyond; ++fd)
        require(is_open(fd) == (fd >= first + static_cast<int>(count)));
    return 0;
}
