// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/control_session.hpp"
#include "balancer/admin/operations.hpp"
#include "balancer/listen/socket_file.hpp"
#include "balancer/listen/socket_lock.hpp"
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

    /// Ends it all; requests under way get no answer.
    void close();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    [[nodiscard]] boost::asio::awaitable<void> run();
    [[nodiscard]] std::error_code accept_all();
    void welcome(sys::UniqueFd connection);
    [[nodiscard]] std::vector<ControlPlaces::Client> clients();

    boost::asio::any_io_executor executor_;
    std::string path_;
    bool is_default_;
    Operations& operations_;
    std::optional<SocketLock> lock_; ///< goes after the file
    boost::asio::posix::stream_descriptor listener_;
    boost::asio::steady_timer pause_;
    SocketFile file_;
    bool closed_ = false;
    std::list<std::weak_ptr<ControlSession>> sessions_; ///< the oldest first
};

} // namespace usher
