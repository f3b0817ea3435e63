// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/control_session.hpp"
#include "balancer/admin/operations.hpp"
#include "balancer/listen/listening_socket.hpp"
#include "balancer/listen/socket_file.hpp"
#include "balancer/listen/socket_lock.hpp"
#include "common/async/timed_looks.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace usher {

/// The control socket: a Unix stream socket of mode 0600 that answers requests of its own user and
/// of root, one JSON object a line each way; see docs/operations.md.
class ControlServer {
public:
    /// An empty `path` means the default one.
    ControlServer(const boost::asio::any_io_executor& executor, const std::string& path,
                  Operations& operations);
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;
    ~ControlServer() { close(); }

    /// Takes the lock and binds.  A path somebody asked for that belongs to another master: throws
    /// AddressInUse; a default path: goes on without, and says so.
    void open();

    void start();

    /// Opens the socket anew if somebody has removed its file without putting another in its place,
    /// as the end of a login removes $XDG_RUNTIME_DIR.  Not before it is open, nor after close().
    [[nodiscard]] boost::asio::awaitable<void> mend();

    /// Ends it all; requests under way get no answer.
    void close();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    /// Behind a file that was there, and a lock if that was gone as well.
    struct Mended {
        std::unique_ptr<SocketLock> lock;
        ListeningSocket socket;
        std::string trouble; ///< why not
    };

    [[nodiscard]] static std::optional<Mended>
    open_if_lost(const std::string& path, const SocketFile& file,
                 const std::shared_ptr<SocketLock>& lock);
    void adopt(ListeningSocket socket);
    [[nodiscard]] boost::asio::awaitable<void> run();
    [[nodiscard]] std::error_code accept_all();
    void welcome(sys::UniqueFd connection);
    [[nodiscard]] std::vector<ControlPlaces::Client> clients();

    boost::asio::any_io_executor executor_;
    std::string path_;
    bool is_default_;
    Operations& operations_;
    std::shared_ptr<SocketLock> lock_; ///< goes after the file
    boost::asio::posix::stream_descriptor listener_;
    boost::asio::steady_timer pause_;
    SocketFile file_;
    TimedLooks looks_;
    std::string trouble_; ///< with which it could not be mended, as last said
    bool is_mending_ = false;
    bool closed_ = false;
    std::list<std::weak_ptr<ControlSession>> sessions_; ///< the oldest first
};

} // namespace usher
