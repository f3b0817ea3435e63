// SPDX-License-Identifier: MIT
#include "balancer/admin/control_server.hpp"

#include "balancer/admin/control_path.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/listen/unix_listener.hpp"
#include "common/async/adopt_fd.hpp"
#include "common/async/closing_thread.hpp"
#include "common/async/spawn.hpp"
#include "common/log.hpp"
#include "common/sys/process/trusted_user.hpp"
#include "common/sys/socket/accept.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <fmt/core.h>

#include <cstddef>
#include <iterator>
#include <tuple>
#include <utility>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

constexpr unsigned owner_only = 0600;
constexpr unsigned backlog = 128;
constexpr std::chrono::seconds longest_removal{1};
constexpr std::chrono::milliseconds pause_without_descriptors{100};

/// Says why there is no session, as far as that goes without waiting.
void turn_away(int socket, const Outcome& reason)
{
    const auto line = encode(reason);
    std::ignore = ::send(socket, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/// True if the process at the other end is root's or our own user's (unix(7), SO_PEERCRED).
bool is_trusted(int socket) noexcept
{
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           sys::is_trusted_user(peer.uid);
}

/// True if the file is there, and neither root's nor ours.
bool is_strangers(const std::string& path) noexcept
{
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && !sys::is_trusted_user(status.st_uid);
}

} // namespace

ControlServer::ControlServer(const asio::any_io_executor& executor, const std::string& path,
                             Operations& operations)
    : executor_{executor},
      path_{path.empty() ? default_control_path() : path},
      is_default_{path.empty()},
      operations_{operations},
      listener_{executor},
      pause_{executor},
      looks_{executor}
{
}

void ControlServer::open()
{
    try {
        lock_ = std::make_shared<SocketLock>(path_);
        adopt(open_unix_listener(path_, owner_only, backlog));
    } catch (const std::exception& e) {
        // Another usher is no reason to worry, nor is a folder that we may not write to.  But who
        // listens there while we have the lock, or keeps us from it, is no usher of ours.
        const bool in_use = dynamic_cast<const AddressInUse*>(&e) != nullptr;
        const bool is_usual =
            (in_use && !lock_) || (dynamic_cast<const std::system_error*>(&e) != nullptr &&
                                   !is_strangers(path_ + ".lock"));
        lock_.reset();
        if (is_default_ && is_usual)
            EventSource{operations_.events()}.publish(
                EventKind::note, log::Level::warning,
                fmt::format("no control socket: {}; give this one its own with --control PATH",
                            e.what()));
        else if (in_use)
            throw AddressInUse{std::string{e.what()} +
                               "; stop it, or choose another path with --control"};
        else
            throw;
    }
}

void ControlServer::adopt(ListeningSocket socket)
{
    listener_ =
        adopt_fd<asio::posix::stream_descriptor>(listener_.get_executor(), std::move(socket.fd));
    file_ = std::move(socket.file);
}

/// On a helper thread.
std::optional<ControlServer::Mended>
ControlServer::open_if_lost(const std::string& path, const SocketFile& file,
                            const std::shared_ptr<SocketLock>& lock)
{
    if (!file.is_lost())
        return std::nullopt;
    Mended result;
    try {
        if (!lock->is_there())
            result.lock = std::make_unique<SocketLock>(path);
        result.socket = open_unix_listener(path, owner_only, backlog);
    } catch (const std::exception& e) {
        result.trouble = e.what();
    }
    return result;
}

asio::awaitable<void> ControlServer::mend()
{
    if (!file_ || closed_ || std::exchange(is_mending_, true))
        co_return;
    std::optional<Mended> mended;
    try {
        auto open = [path = path_, file = file_, lock = lock_] {
            return open_if_lost(path, file, lock);
        };
        mended = (co_await looks_.look(std::move(open))).value_or(std::nullopt);
    } catch (const std::exception& e) { // there is no thread
        mended.emplace().trouble = e.what();
    }
    is_mending_ = false;
    if (closed_)
        co_return;
    const auto trouble = mended ? mended->trouble : std::string{};
    const auto before = std::exchange(trouble_, trouble);
    const auto tell = [this](const std::string& text) {
        EventSource{operations_.events()}.publish(EventKind::note, log::Level::warning, text);
    };
    if (!trouble.empty()) {
        if (trouble != before)
            tell(fmt::format("{}: somebody has removed the file of the control socket, which "
                             "cannot be opened anew yet: {}",
                             path_, trouble));
    } else if (mended) {
        std::ignore = accept_all(); // who had found it before
        if (mended->lock)           // the old one may wait for a disk
            do_elsewhere([old = std::exchange(lock_, std::move(mended->lock))] {});
        adopt(std::move(mended->socket));
        tell(fmt::format("{}: somebody has removed the file of the control socket, which was "
                         "opened anew",
                         path_));
    }
}

void ControlServer::start()
{
    if (listener_.is_open())
        spawn(executor_, run());
}

asio::awaitable<void> ControlServer::run()
{
    while (listener_.is_open()) {
        co_await listener_.async_wait(asio::posix::stream_descriptor::wait_read,
                                      asio::as_tuple(asio::deferred));
        if (listener_.is_open() && sys::is_out_of_resources(accept_all())) {
            // The one that waits would wake us again at once.
            pause_.expires_after(pause_without_descriptors);
            co_await pause_.async_wait(asio::as_tuple(asio::deferred));
        }
    }
}

std::error_code ControlServer::accept_all()
{
    for (;;) {
        sys::UniqueFd connection;
        sys::SocketAddress peer;
        const auto error = sys::accept_connection(listener_.native_handle(), connection, peer);
        if (error && !sys::is_accept_noise(error))
            return error;
        if (!error)
            welcome(std::move(connection));
    }
}

void ControlServer::welcome(sys::UniqueFd connection)
{
    if (!is_trusted(connection.get()))
        return turn_away(
            connection.get(),
            Outcome::failure(
                fmt::format("this usher takes commands only of root and of user {}", ::geteuid())));
    const auto way = ControlPlaces::make_way(clients());
    if (!way)
        return turn_away(connection.get(), ControlPlaces::refusal());
    if (const auto place = std::next(sessions_.begin(), static_cast<std::ptrdiff_t>(*way));
        place != sessions_.end())
        place->lock()->make_way();
    try {
        auto session =
            std::make_shared<ControlSession>(executor_, std::move(connection), operations_,
                                             [this] { return ControlPlaces::has_room(clients()); });
        sessions_.push_back(session);
        session->start();
    } catch (const std::system_error& error) { // the client sees its end
        EventSource{operations_.events()}.publish(
            EventKind::note, log::Level::warning,
            std::string{"a client of the control socket cannot be served: "} + error.what());
    }
}

std::vector<ControlPlaces::Client> ControlServer::clients()
{
    // Who has gone is in nobody's way, though what they asked for may be under way.
    std::erase_if(sessions_, [](const auto& weak) {
        const auto session = weak.lock();
        return !session || session->is_closed();
    });
    std::vector<ControlPlaces::Client> result;
    for (const auto& session : sessions_)
        result.push_back(session.lock()->client());
    return result;
}

void ControlServer::close()
{
    if (std::exchange(closed_, true))
        return;
    looks_.call_off();
    file_ = {};
    sys::UniqueFd{listener_.release()}.reset();
    pause_.cancel();
    for (const auto& weak : sessions_)
        if (const auto session = weak.lock())
            session->close();
    finish_elsewhere(longest_removal); // the lock goes after the file
    lock_.reset();
}

} // namespace usher
