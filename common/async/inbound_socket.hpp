// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/fd_message.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <functional>
#include <span>
#include <system_error>

#include <sys/types.h>

namespace usher {

/// Our end of an AF_UNIX socket on which somebody speaks to us, whose descriptors nobody wants.
///
/// Where that may be another user, none of their descriptors is ever installed here: each child
/// would inherit it, and its close may wait for as long as they like (a file on FUSE, a socket that
/// lingers), also when it was never installed.  So each message is looked at first (MSG_PEEK); one
/// that has descriptors is taken by a helper thread, and until that has come back nothing more is
/// heard.
class InboundSocket {
public:
    enum class Senders {
        ours,   ///< root's or our own user's only
        others, ///< also another user's
    };

    /// One message, or what is there of a stream.
    struct Message {
        std::size_t size = 0;                  ///< 0: the other end was closed or shut down
        std::size_t descriptors = 0;           ///< that came with it; of others: 1 for any number
        bool is_cut = false;                   ///< it was longer than the buffer
        uid_t sender = static_cast<uid_t>(-1); ///< of a socket with SO_PASSCRED (unix(7))
    };

    /// Hears one message, or why none can be read any more.  False: no more is wanted.
    using Handler = std::function<bool(std::error_code error, const Message& message)>;

    /// Nobody reads there.
    explicit InboundSocket(const boost::asio::any_io_executor& executor) : socket_{executor} {}

    /// Throws std::system_error; see adopt_fd().
    InboundSocket(const boost::asio::any_io_executor& executor, sys::UniqueFd socket,
                  Senders senders);
    InboundSocket(const InboundSocket&) = delete;
    InboundSocket& operator=(const InboundSocket&) = delete;
    ~InboundSocket() { close(); }

    /// From now on whoever sends others' descriptors is refused by the kernel where it can (since
    /// Linux 6.16), so that there is nothing to look for.  Only where no honest sender has any.
    void refuse_descriptors() noexcept;

    /// Gives `handler` each message until it wants no more, or close(): one a turn of the event
    /// loop, so that who chatters shares the loop fairly.  `handler` keeps alive this object and
    /// what `buffer` is of.
    void keep_receiving(std::span<std::byte> buffer, Handler handler);

    /// Receives one message now.  std::errc::operation_would_block: nothing is there, or what is
    /// there must not be taken here.
    [[nodiscard]] std::error_code receive(std::span<std::byte> buffer, Message& message);

    /// True if the last receive() has found a message that must not be taken here.
    [[nodiscard]] bool has_found_descriptors() const noexcept { return has_found_; }

    /// True while a thread is at a message, so that nothing behind it can be received.
    [[nodiscard]] bool is_taking() const noexcept { return is_taking_; }

    /// What is unread may have descriptors: it is taken by a thread as well.
    void close() noexcept;

    [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }
    [[nodiscard]] int fd() { return socket_.native_handle(); }

    /// To wait for it.
    [[nodiscard]] boost::asio::posix::stream_descriptor& descriptor() noexcept { return socket_; }

private:
    [[nodiscard]] boost::asio::awaitable<void> take(std::span<std::byte> buffer, Handler handler);

    boost::asio::posix::stream_descriptor socket_;
    bool is_guarded_ = false; ///< descriptors may come that must not be taken here
    bool has_found_ = false;
    bool is_taking_ = false; ///< a thread is at the next message
    sys::FdMessage arrived_;
};

} // namespace usher
