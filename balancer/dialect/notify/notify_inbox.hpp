// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/notify/notification.hpp"
#include "common/async/inbound_socket.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <sys/types.h>

namespace usher {

/// The socket to which one worker sends what it would tell systemd, NOTIFY_SOCKET of sd_notify(3).
///
/// Its name is abstract (unix(7)), so there is no file to make, to guard and to remove.  Anybody on
/// the machine may send there, so who is neither root, nor us, nor the worker's user is not heard.
///
/// Lives as a shared pointer: a wait that is under way keeps it until close().
class NotifyInbox final : public std::enable_shared_from_this<NotifyInbox> {
public:
    using Handler = std::function<void(const Notification&)>;

    /// Throws std::system_error.
    explicit NotifyInbox(const boost::asio::any_io_executor& executor);
    NotifyInbox(const NotifyInbox&) = delete;
    NotifyInbox& operator=(const NotifyInbox&) = delete;
    ~NotifyInbox() = default;

    /// What NOTIFY_SOCKET is to say: `@name`.
    [[nodiscard]] const std::string& address() const noexcept { return address_; }

    /// Hears messages until close(); those of `user`, besides root's and ours.
    void start(uid_t user, Handler handler);

    void close() noexcept { socket_.close(); }

private:
    /// As systemd has it; sd_notify(3) promises no more.
    static constexpr std::size_t longest_message = 4096;

    void on_received(const InboundSocket::Message& message);

    std::array<char, longest_message> buffer_;
    std::string address_;
    InboundSocket socket_;
    uid_t user_ = 0;
    Handler handler_;
};

} // namespace usher
