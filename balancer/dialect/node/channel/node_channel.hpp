// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/node/channel/node_frames.hpp"
#include "common/async/back_off.hpp"
#include "common/async/inbound_socket.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace usher {

/// The master's end of the channel to one Node worker: messages both ways, and descriptors.
///
/// Lives as a shared pointer: a wait that is under way keeps it until close().
class NodeChannel final : public std::enable_shared_from_this<NodeChannel> {
public:
    /// Whoever hears it may close the channel in every call.
    class Observer {
    public:
        /// One message, as NodeFrames cuts it out; the view is good during the call.
        virtual void on_frame(std::string_view message) = 0;

        /// The worker has closed its end.
        virtual void on_end() = 0;

        /// What it sends cannot be read: one clause.
        virtual void on_broken(std::string reason) = 0;

        /// All that waited to be sent has gone.
        virtual void on_sent() {}

    protected:
        ~Observer() = default;
    };

    /// Most bytes of programs' messages that may wait for a worker that does not read...
    static constexpr std::size_t most_unsent = 64UL * 1024 * 1024;

    /// ... and of our own in addition, which must not be lost to those.
    static constexpr std::size_t reserve = 16UL * 1024 * 1024;

    /// `is_distrusted`: the worker is another user's; see InboundSocket.
    NodeChannel(const boost::asio::any_io_executor& executor, sys::UniqueFd socket,
                NodeFrames frames, bool is_distrusted = false);

    void start(Observer& observer);

    /// Sends `message`, encoded, and `fd` with it unless it is -1; `fd` stays the caller's.  What
    /// cannot be sent now is sent later, in order; false if too much waits already.  A message with
    /// a descriptor waits until the worker has read one without that was sent before it.
    bool send(std::string_view message, int fd = -1);

    /// What a message that waits takes of the limits, however short it is.
    [[nodiscard]] static constexpr std::size_t cost_of(std::string_view message) noexcept
    {
        return message.size() + sizeof(Unsent);
    }

    /// What waits to be sent costs.
    [[nodiscard]] std::size_t unsent() const noexcept { return unsent_bytes_; }

    /// True if a descriptor has come that was not asked for yet.  It is closed already.
    [[nodiscard]] bool take_handle() noexcept;

    /// Reads what is there when it is called: what the worker wrote before it ended.  False if
    /// there is something that cannot be read now.
    [[nodiscard]] bool read_rest();

    void close() noexcept;
    [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }

private:
    struct Unsent {
        std::string message;
        std::size_t done = 0; ///< bytes that went
        sys::UniqueFd fd;
    };

    /// Why a worker's descriptor must not pile up here.
    static constexpr std::size_t most_handles = 64;

    [[nodiscard]] bool on_received(std::error_code error, const InboundSocket::Message& chunk);
    void wait_to_write(bool is_told);
    void write_more();
    [[nodiscard]] bool is_last_unread() noexcept;
    [[nodiscard]] bool write(std::string_view bytes, int fd, std::size_t& sent);

    InboundSocket socket_;
    boost::asio::steady_timer retry_;
    Observer* observer_ = nullptr;
    std::vector<std::byte> buffer_;
    NodeFrames frames_;
    std::size_t handles_ = 0; ///< descriptors that have come and were not asked for yet
    std::deque<Unsent> unsent_;
    std::size_t unsent_bytes_ = 0;
    bool waiting_to_write_ = false;
    bool had_fd_ = false; ///< the last packet that was sent
    BackOff pause_{std::chrono::milliseconds{1}, std::chrono::milliseconds{16}};
};

} // namespace usher
