// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "balancer/dialect/drain_watch.hpp"
#include "balancer/dialect/listen_fds/listen_fds_intake.hpp"
#include "balancer/dialect/open_connections.hpp"
#include "balancer/dialect/worker_link.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>

namespace usher {

/// A worker that takes its listening sockets as a service of systemd does, sd_listen_fds(3).
class ListenFdsLink final : public WorkerLink, public std::enable_shared_from_this<ListenFdsLink> {
public:
    ListenFdsLink(const boost::asio::any_io_executor& executor,
                  std::shared_ptr<const ResolvedPool> config, ListenFdsIntake& intake,
                  ListenFdsIntake::Seat& seat);
    ~ListenFdsLink() override;
    ListenFdsLink(const ListenFdsLink&) = delete;
    ListenFdsLink& operator=(const ListenFdsLink&) = delete;

    [[nodiscard]] Equipment equip(std::map<std::string, std::string>& environment,
                                  int first_number) const override;
    void start(pid_t process, Observer& observer) override;
    void attach() override { intake_.set_active(seat_, true); }
    void detach() noexcept override { intake_.set_active(seat_, false); }

    /// Where its sockets are its own, nothing comes to it any more, and it is watched until it has
    /// nothing left.
    [[nodiscard]] bool drain(std::chrono::milliseconds timeout) override;

    void cut_off(bool /*at_fault*/) override { stop_looking(); }
    void finish() override;
    [[nodiscard]] boost::asio::awaitable<std::optional<std::uint64_t>>
    count_open(boost::asio::steady_timer& deadline) override;

private:
    using Clock = std::chrono::steady_clock;

    [[nodiscard]] boost::asio::awaitable<void> watch_for_accept();
    [[nodiscard]] boost::asio::awaitable<void> watch_for_idle();
    void stop_looking() noexcept;

    std::shared_ptr<const ResolvedPool> config_;
    ListenFdsIntake& intake_;
    ListenFdsIntake::Seat& seat_;
    std::set<ino_t> inodes_; ///< of its sockets
    OpenConnections open_connections_;
    ProcLooks looks_;
    bool awaits_accept_ = false;         ///< while we look whether it waits for connections
    std::optional<DrainWatch> schedule_; ///< while we look whether it has none left
    boost::asio::steady_timer timer_;
    pid_t process_ = 0;
    Observer* observer_ = nullptr;
    bool released_ = false;
};

} // namespace usher
