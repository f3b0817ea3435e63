// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/inbound_socket.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/wire/control.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <system_error>

namespace usher {

/// The master's end of one worker's control socket: JSON packets both ways.
///
/// Lives as a shared pointer: a wait that is under way keeps it until close().
class ControlChannel final : public std::enable_shared_from_this<ControlChannel> {
public:
    /// Hears each message; MalformedMessage stands for whatever is none.
    using Handler = std::function<void(const wire::ControlMessage&)>;

    /// `is_distrusted`: the worker is another user's; see InboundSocket.
    ControlChannel(const boost::asio::any_io_executor& executor, sys::UniqueFd socket,
                   bool is_distrusted = false);

    /// Reads until close() or the worker's end is gone, which is no message: the process's end
    /// tells.
    void start(Handler handler);

    /// Sends, or drops the message if the worker does not read: it may be late, the master not.
    void send(const std::string& packet) noexcept;

    void close() noexcept { socket_.close(); }

private:
    [[nodiscard]] bool on_received(std::error_code error, const InboundSocket::Message& message);

    InboundSocket socket_;
    Handler handler_;
    std::unique_ptr<std::array<std::byte, wire::max_control_message>> buffer_;
};

} // namespace usher
