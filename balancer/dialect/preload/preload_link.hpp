// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "balancer/dialect/drain_watch.hpp"
#include "balancer/dialect/native/native_link.hpp"
#include "balancer/dialect/open_connections.hpp"
#include "balancer/dialect/preload/preload_host.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace usher {

/// A program that knows nothing of us: libusher-preload.so in it speaks the worker protocol for
/// it, but can say neither how many connections are open nor that it has finished.
///
/// With dialect auto it may be a native one all the same: then it has what those have, the shim
/// keeps still, and from its `hello` on it is treated as one.  Or the primary of Node's cluster.
class PreloadLink final : public NativeLink {
public:
    /// How long a program may run until somebody says that nothing was heard of it.
    static constexpr std::chrono::milliseconds patience{2'000};

    /// `host` must outlive it.  Throws std::system_error, and std::runtime_error if there are too
    /// many listeners for dialect preload.
    PreloadLink(const boost::asio::any_io_executor& executor,
                std::shared_ptr<const ResolvedPool> config, const WorkerIdentity& identity,
                Dispatcher& dispatcher, PreloadHost& host);

    [[nodiscard]] Equipment equip(std::map<std::string, std::string>& environment,
                                  int first_number) const override;
    void start(pid_t process, Observer& observer) override;

    /// Only watches: a program that knows nothing of us does not know end-of-file on its listening
    /// socket.  Nothing comes any more, and Observer::on_idle() when it has finished.
    [[nodiscard]] bool drain(std::chrono::milliseconds timeout) override;

    void cut_off(bool at_fault) override;
    void finish() override;
    [[nodiscard]] boost::asio::awaitable<std::optional<std::uint64_t>>
    count_open(boost::asio::steady_timer& deadline) override;
    [[nodiscard]] std::string explain_not_ready() const override;
    [[nodiscard]] std::string obstacle() const override;

private:
    enum class Found { nothing, native, program, misfit };

    [[nodiscard]] bool is_automatic() const noexcept
    {
        return config_->dialect == Dialect::automatic;
    }
    [[nodiscard]] bool is_native() const noexcept { return found_ == Found::native; }
    [[nodiscard]] bool is_heard() const;
    [[nodiscard]] ScoreboardPage& page() const noexcept { return handoff().scoreboard().page(); }
    [[nodiscard]] bool on_identified(const wire::Hello& hello) override;
    void on_question(const wire::ListenQuestion& question) override;
    void on_node_primary() override;
    [[nodiscard]] std::string look_for_listener(const std::string& fallback);
    [[nodiscard]] boost::asio::awaitable<void> watch_start();
    [[nodiscard]] std::vector<int> sockets() const;

    /// What a server does that takes no further connection.
    void on_shut_down() override;
    [[nodiscard]] boost::asio::awaitable<void> watch();

    std::shared_ptr<const ResolvedPool> config_;
    unsigned generation_;
    PreloadHost& host_;
    std::vector<sys::SocketAddress> listeners_; ///< those that the shim knows
    Found found_ = Found::nothing;
    std::shared_ptr<std::string> obstacle_ = std::make_shared<std::string>();
    mutable std::string no_shim_; ///< why it cannot be had; empty if it can
    bool is_finished_ = false;
    OpenConnections open_connections_;
    ProcLooks looks_;
    std::optional<DrainWatch> drain_watch_; ///< while it drains
    boost::asio::steady_timer timer_;
    boost::asio::steady_timer start_timer_;
};

} // namespace usher
