// SPDX-License-Identifier: MIT
#include "listen_source.hpp"

#include "common/handoff_address.hpp"
#include "common/scoreboard.hpp"
#include "common/sys/socket/accept.hpp"
#include "common/sys/syscall.hpp"
#include "fallback_address.hpp"

#include <utility>

#include <sys/socket.h>

namespace usher::worker {

FallbackListener open_fallback_listener(const Options& options)
{
    auto address = parse_fallback_address(options.fallback);
    const auto require = [&address](int result) {
        if (result < 0)
            throw std::system_error{sys::last_error(), address.to_string()};
    };
    const auto enable = [](int fd, int option) {
        const int on = 1;
        return ::setsockopt(fd, SOL_SOCKET, option, &on, sizeof on);
    };

    sys::UniqueFd fd{::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    require(fd.get());
    require(enable(fd.get(), SO_REUSEADDR));
    if (options.reuse_port)
        require(enable(fd.get(), SO_REUSEPORT));
    require(::bind(fd.get(), address.data(), address.size()));
    require(::listen(fd.get(), options.backlog));

    socklen_t size = sys::SocketAddress::capacity();
    require(::getsockname(fd.get(), address.data(), &size));
    address.resize(size);
    return {.address = address, .socket = std::move(fd)};
}

std::error_code ListenSource::take(int socket, IncomingConnection& connection)
{
    sys::SocketAddress peer;
    std::error_code error;
    do
        error = sys::accept_connection(socket, connection.fd, peer);
    while (sys::is_accept_noise(error));

    if (sys::is_out_of_resources(error))
        return std::make_error_code(std::errc::too_many_files_open);
    if (!error)
        connection.record = {
            .id = ++last_id_, .accepted_at = monotonic_nanoseconds(), .peer = to_wire(peer)};
    return error;
}

} // namespace usher::worker
