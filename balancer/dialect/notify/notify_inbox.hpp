// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/notify/inbox_socket.hpp"
#include "balancer/dialect/notify/notification.hpp"
#include "balancer/listen/socket_file.hpp"
#include "common/async/inbound_socket.hpp"
#include "common/async/rate_limit.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>

#include <sys/types.h>

namespace usher {

/// The socket to which one worker sends what it would tell systemd, NOTIFY_SOCKET of sd_notify(3).
///
/// It is a file to which nobody but the worker's user and root can send; see InboxFolder.  Where
/// there can be none its name is abstract (unix(7)), and anybody on the machine may keep it busy.
/// Either way who is neither root, nor us, nor the worker's user is not heard.
///
/// It reads 1,000 messages in 10 s; whoever sends more waits.
///
/// Lives as a shared pointer: a wait that is under way keeps it until close().
class NotifyInbox final : public std::enable_shared_from_this<NotifyInbox> {
public:
    using Handler = std::function<void(const Notification&)>;

    /// That of a worker of `user`.  Throws std::system_error; then there is no file either.
    NotifyInbox(const boost::asio::any_io_executor& executor, uid_t user, InboxSocket socket);
    NotifyInbox(const NotifyInbox&) = delete;
    NotifyInbox& operator=(const NotifyInbox&) = delete;
    ~NotifyInbox() { close(); }

    /// What NOTIFY_SOCKET is to say.
    [[nodiscard]] const std::string& address() const noexcept { return address_; }

    /// Hears messages until close().
    void start(Handler handler);

    void close() noexcept;

private:
    /// As systemd has it; sd_notify(3) promises no more.
    static constexpr std::size_t longest_message = 4096;

    /// What programs have to say is a few words; a watchdog's are one in seconds.
    static constexpr std::uint64_t most_messages = 1'000;

    void receive();
    [[nodiscard]] bool on_received(std::error_code error, const InboundSocket::Message& message);

    const uid_t user_;
    std::array<char, longest_message> buffer_;
    std::string address_;
    SocketFile file_;
    InboundSocket socket_;
    RateLimit limit_{most_messages};
    boost::asio::steady_timer pause_;
    Handler handler_;
};

} // namespace usher
