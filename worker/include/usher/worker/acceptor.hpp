// SPDX-License-Identifier: MIT
#pragma once

#include "usher/worker/connection.hpp"
#include "usher/worker/detail/accept_operation.hpp"
#include "usher/worker/identity.hpp"
#include "usher/worker/options.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace usher::worker {

/// Accepts the connections that usher hands to this process; without usher, those of a listener
/// of its own.  Used like Asio's acceptor:
///
///     usher::worker::Acceptor acceptor{io, {.fallback = "127.0.0.1:8000"}};
///     acceptor.ready();
///     for (;;)
///         serve(co_await acceptor.async_accept(asio::use_awaitable));
///
/// Like an Asio object it is for one thread at a time.  Under usher there is one per process, and
/// it makes the process ignore SIGPIPE unless the program has a handler: standard output is read by
/// the master, which may die first.  It stamps the worker's heartbeat once a second from the
/// io_context, so that a blocked loop is noticed.
class Acceptor {
public:
    /// Throws std::system_error if it cannot listen, std::runtime_error if the master's environment
    /// is damaged or speaks another protocol.
    explicit Acceptor(boost::asio::io_context& io, const Options& options = {})
        : io_{&io}, inlet_{detail::Inlet::open(io, options)}
    {
    }
    Acceptor(Acceptor&&) noexcept = default;
    Acceptor& operator=(Acceptor&& other) noexcept
    {
        if (this != &other) {
            close();
            io_ = other.io_;
            inlet_ = std::move(other.inlet_);
        }
        return *this;
    }
    ~Acceptor() { close(); }

    /// Tells the master that connections may come.  Call it when everything is set up.
    void ready() { usher_ready(inlet_->worker()); }

    /// Accepts one connection: completes with void(boost::system::error_code, Connection).
    ///
    /// asio::error::eof: drained.  No more connections will come, because the master said so or is
    /// gone; finish those that are open.  Supports every kind of cancellation; a connection is then
    /// kept for the next call.
    template <boost::asio::completion_token_for<void(boost::system::error_code, Connection)> Token>
    auto async_accept(Token&& token)
    {
        return boost::asio::async_compose<Token, void(boost::system::error_code, Connection)>(
            detail::AcceptOperation{.io = *io_, .inlet = inlet_}, token, *io_);
    }

    /// True once the master has said that no more connections will come: answer with
    /// `Connection: close`.
    [[nodiscard]] bool is_draining() const noexcept
    {
        return usher_draining(inlet_->worker()) != 0;
    }

    /// Connections accepted and not yet closed.  One counts as long as its socket is there, what
    /// that was moved to and from, and the operation on it that is just being completed.
    [[nodiscard]] std::uint64_t open_connections() const noexcept
    {
        return usher_open_connections(inlet_->worker());
    }

    /// Publishes the application's own measure of its load.
    void set_load(std::uint64_t load) noexcept { usher_set_load(inlet_->worker(), load); }

    /// Null without a master.
    [[nodiscard]] const Identity* identity() const noexcept { return inlet_->identity(); }

    /// Where it listens without a master, with the real port.  Throws std::logic_error under one.
    [[nodiscard]] Endpoint listening_on() const { return inlet_->listening_on(); }

    /// Accepts no more: a waiting async_accept() completes with operation_aborted, what the
    /// application has not taken is closed.
    void close() noexcept
    {
        if (inlet_)
            inlet_->close();
    }

    [[nodiscard]] boost::asio::io_context& context() const noexcept { return *io_; }

private:
    boost::asio::io_context* io_;
    std::shared_ptr<detail::Inlet> inlet_;
};

} // namespace usher::worker
