// SPDX-License-Identifier: MIT
#pragma once

#include "usher.h"
#include "usher/worker/connection.hpp"
#include "usher/worker/identity.hpp"
#include "usher/worker/options.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <optional>

namespace usher::worker::detail {

/// Where an Acceptor's connections come from: the C library, with Asio's loop in place of its own,
/// and counted Asio sockets in place of descriptors.
class Inlet : public std::enable_shared_from_this<Inlet> {
public:
    /// As Acceptor's constructor.  Pending waits share the Inlet until close().
    [[nodiscard]] static std::shared_ptr<Inlet> open(boost::asio::io_context& io,
                                                     const Options& options);

    Inlet(boost::asio::io_context& io, const Options& options);
    Inlet(const Inlet&) = delete;
    Inlet& operator=(const Inlet&) = delete;
    ~Inlet() { close(); }

    /// True if take() has a connection without asking the kernel.
    [[nodiscard]] bool has_buffered() const noexcept;

    /// The next connection, into `connection`.
    ///
    /// asio::error::would_block: wait until descriptor() is readable.  asio::error::no_descriptors:
    /// this process is at its RLIMIT_NOFILE; the connection stays queued, wait a little.
    /// asio::error::eof: no more will come.
    [[nodiscard]] boost::system::error_code take(Connection& connection);

    [[nodiscard]] boost::asio::posix::stream_descriptor& descriptor() noexcept { return source_; }

    /// For what can be asked of it at any time.
    [[nodiscard]] usher_worker* worker() const noexcept { return worker_.get(); }

    /// The rest is as in Acceptor.
    [[nodiscard]] const Identity* identity() const noexcept
    {
        return identity_ ? &*identity_ : nullptr;
    }
    [[nodiscard]] Endpoint listening_on();
    void close() noexcept;

private:
    void wait_for_events();

    boost::asio::io_context& io_;
    std::shared_ptr<usher_worker> worker_; ///< until the last connection is done
    std::optional<Identity> identity_;
    boost::asio::posix::stream_descriptor source_; ///< both are the worker's to close
    boost::asio::posix::stream_descriptor events_; ///< messages of the master, and the heartbeat
};

} // namespace usher::worker::detail
