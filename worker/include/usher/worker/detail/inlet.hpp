// SPDX-License-Identifier: MIT
#pragma once

#include "usher/worker/connection.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <memory>

namespace usher::worker {
struct Identity;
struct Options;
} // namespace usher::worker

namespace usher::worker::detail {

/// Where an Acceptor's connections come from: the hand-off socket, or a listener of our own.
class Inlet {
public:
    virtual ~Inlet() = default;

    /// True if take() has a connection without asking the kernel.
    [[nodiscard]] virtual bool has_buffered() const noexcept = 0;

    /// The next connection, into `connection`.
    ///
    /// asio::error::would_block: wait until descriptor() is readable.  asio::error::no_descriptors:
    /// this process is at its RLIMIT_NOFILE; the connection stays queued, wait a little.
    /// asio::error::eof: no more will come.
    [[nodiscard]] virtual boost::system::error_code take(Connection& connection) = 0;

    [[nodiscard]] virtual boost::asio::posix::stream_descriptor& descriptor() noexcept = 0;

    /// The rest is as in Acceptor.
    virtual void ready() = 0;
    [[nodiscard]] virtual bool is_draining() const noexcept = 0;
    [[nodiscard]] virtual std::uint64_t open_connections() const noexcept = 0;
    [[nodiscard]] virtual const Identity* identity() const noexcept = 0;
    [[nodiscard]] virtual Endpoint listening_on() const = 0;
    virtual void set_load(std::uint64_t load) noexcept = 0;
    virtual void close() noexcept = 0;
};

[[nodiscard]] std::shared_ptr<Inlet> open_inlet(boost::asio::io_context& io,
                                                const Options& options);

} // namespace usher::worker::detail
