// SPDX-License-Identifier: MIT
#include "balancer/admin/control_server.hpp"

#include "balancer/admin/control_path.hpp"
#include "balancer/admin/control_session.hpp"
#include "balancer/dispatch/unix_listener.hpp"
#include "common/log.hpp"
#include "common/sys/accept.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

constexpr unsigned owner_only = 0600;
constexpr unsigned backlog = 16;
constexpr std::size_t most_sessions = 32; ///< each costs a descriptor

/// True if the process at the other end is root's or our own user's (unix(7), SO_PEERCRED).
bool is_trusted(int socket) noexcept
{
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == ::geteuid());
}

} // namespace

ControlServer::ControlServer(const asio::any_io_executor& executor, std::string path,
                             Operations& operations)
    : executor_{executor},
      path_{path.empty() ? default_control_path() : path},
      is_default_{path.empty()},
      operations_{operations},
      listener_{executor}
{
}

ControlServer::~ControlServer() = default;

void ControlServer::open()
{
    try {
        auto socket = open_unix_listener(path_, owner_only, backlog);
        listener_.assign(socket.fd.release());
        file_ = std::move(socket.file);
    } catch (const std::exception& e) {
        if (!is_default_)
            throw;
        operations_.events().publish({.kind = EventKind::note,
                                      .level = log::Level::warning,
                                      .message = std::string{"no control socket: "} + e.what() +
                                                 "; give this one its own with --control PATH"});
    }
}

void ControlServer::start()
{
    if (listener_.is_open())
        wait();
}

void ControlServer::wait()
{
    listener_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [this](const boost::system::error_code& error) {
                             if (error || !listener_.is_open())
                                 return;
                             accept_all();
                             wait();
                         });
}

void ControlServer::accept_all()
{
    std::erase_if(sessions_, [](const auto& session) { return session.expired(); });
    sys::UniqueFd connection;
    sys::SocketAddress peer;
    while (!sys::accept_connection(listener_.native_handle(), connection, peer)) {
        if (!is_trusted(connection.get()) || sessions_.size() >= most_sessions)
            continue; // closes it
        auto session =
            std::make_shared<ControlSession>(executor_, std::move(connection), operations_);
        sessions_.push_back(session);
        session->start();
    }
}

void ControlServer::close()
{
    boost::system::error_code ignored;
    listener_.close(ignored);
    file_ = {};
    for (const auto& weak : sessions_)
        if (const auto session = weak.lock())
            session->close();
}

} // namespace usher
