// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/bus/bus_router.hpp"
#include "common/async/inbound_socket.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

namespace usher {

/// The master's end of one worker's bus: lines both ways.
///
/// It reads a little at a time, one read a turn of the event loop, so that who floods the bus
/// shares the loop fairly with connections; it writes what waits with one system call.  Lives as a
/// shared pointer: waits under way keep it until close().
class BusConnection final : public std::enable_shared_from_this<BusConnection> {
public:
    /// Hears lines, or why what came is none; the last call of a batch is on_heard().
    class Listener {
    public:
        virtual void on_line(std::string_view line) = 0;
        virtual void on_long_line() = 0;
        virtual void on_heard() = 0;

        /// The other end has gone.
        virtual void on_gone() = 0;

        /// What waits to be written.
        [[nodiscard]] virtual Outbox& outbox() = 0;

    protected:
        ~Listener() = default;
    };

    BusConnection(const boost::asio::any_io_executor& executor, sys::UniqueFd socket,
                  InboundSocket::Senders senders);

    /// `listener` must stay until close().
    void start(Listener& listener);

    /// Something new is in the outbox.
    void write();

    /// Its process has ended: hears what it has said last.
    void read_rest();

    void close() noexcept;

private:
    void read();
    [[nodiscard]] bool on_received(std::error_code error, const InboundSocket::Message& message);
    [[nodiscard]] bool hear(std::string_view text);
    void hear_rest();
    [[nodiscard]] std::string_view take_line(std::string_view text);
    void collect();
    [[nodiscard]] bool send();
    void wait_for_memory();

    InboundSocket socket_;
    Listener* listener_ = nullptr; ///< null before start() and after close()
    std::string unheard_;          ///< was read, but its turn was over
    std::string partial_;          ///< a line whose end has not come
    bool is_skipping_ = false;     ///< the rest of one that is too long
    bool is_paused_ = false;       ///< it has too many answers to read

    std::deque<Outbox::Line> sending_; ///< taken out of the outbox
    std::size_t sent_ = 0;             ///< bytes of the first
    std::size_t sending_bytes_ = 0;
    boost::asio::steady_timer pause_; ///< until the kernel may have memory again
    bool waits_for_room_ = false;
};

} // namespace usher
