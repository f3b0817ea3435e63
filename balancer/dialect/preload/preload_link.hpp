// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "balancer/dialect/drain_watch.hpp"
#include "balancer/dialect/native/native_link.hpp"
#include "balancer/dialect/open_connections.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <boost/asio/steady_timer.hpp>

#include <optional>

namespace usher {

/// A program that knows nothing of us: libusher-preload.so in it speaks the worker protocol for
/// it, but can say neither how many connections are open nor that it has finished.
class PreloadLink final : public NativeLink {
public:
    /// `listeners` are the pool's, with the real ports.  Throws std::system_error, and
    /// std::runtime_error if there are too many.
    PreloadLink(const boost::asio::any_io_executor& executor,
                std::shared_ptr<const ResolvedPool> config, WorkerIdentity identity,
                Dispatcher& dispatcher, std::vector<sys::SocketAddress> listeners);

    [[nodiscard]] Equipment equip(std::map<std::string, std::string>& environment,
                                  int first_number) const override;

    /// Only watches: a program that knows nothing of us does not know end-of-file on its listening
    /// socket.  Nothing comes any more, and Observer::on_idle() when it has finished.
    [[nodiscard]] bool drain(std::chrono::milliseconds timeout) override;

    void cut_off() override;
    void finish() override;
    [[nodiscard]] boost::asio::awaitable<std::optional<std::uint64_t>>
    count_open(boost::asio::steady_timer& deadline) override;
    [[nodiscard]] std::string explain_not_ready() const override;

private:
    [[nodiscard]] std::vector<int> sockets() const;

    /// What a server does that takes no further connection.
    void on_shut_down() override;
    [[nodiscard]] boost::asio::awaitable<void> watch();

    std::shared_ptr<const ResolvedPool> config_;
    std::vector<sys::SocketAddress> listeners_;
    OpenConnections open_connections_;
    ProcLooks looks_;
    std::optional<DrainWatch> drain_watch_; ///< while it drains
    boost::asio::steady_timer timer_;
};

} // namespace usher
