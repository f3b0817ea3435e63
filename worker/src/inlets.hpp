// SPDX-License-Identifier: MIT
#pragma once

#include "common/scoreboard.hpp"
#include "control_link.hpp"
#include "environment.hpp"
#include "heartbeat.hpp"
#include "listen_source.hpp"
#include "source.hpp"
#include "usher/worker/acceptor.hpp"
#include "usher/worker/detail/inlet.hpp"
#include "usher/worker/detail/lease.hpp"

#include <atomic>
#include <memory>

namespace usher::worker {

/// What both kinds of Inlet share: makes counted Asio sockets of what a Source yields.
class CountingInlet : public detail::Inlet {
public:
    CountingInlet(boost::asio::io_context& io, sys::UniqueFd socket, std::unique_ptr<Source> source,
                  Scoreboard scoreboard);

    [[nodiscard]] bool has_buffered() const noexcept override { return source_->has_buffered(); }
    [[nodiscard]] boost::system::error_code take(Connection& connection) override;
    [[nodiscard]] boost::asio::posix::stream_descriptor& descriptor() noexcept override
    {
        return descriptor_;
    }
    [[nodiscard]] std::uint64_t open_connections() const noexcept override;
    void set_load(std::uint64_t load) noexcept override;
    void close() noexcept override;

protected:
    /// The source has said that no more will come.
    virtual void on_end() noexcept = 0;

    [[nodiscard]] const std::shared_ptr<Scoreboard>& scoreboard() noexcept { return scoreboard_; }

private:
    boost::asio::io_context& io_;
    boost::asio::posix::stream_descriptor descriptor_;
    std::unique_ptr<Source> source_;
    std::shared_ptr<Scoreboard> scoreboard_;
    std::shared_ptr<detail::LeaseBook> leases_;
};

/// Under a master.
class HandoffInlet final : public CountingInlet {
public:
    HandoffInlet(boost::asio::io_context& io, Inheritance inheritance);

    void ready() override;
    [[nodiscard]] bool is_draining() const noexcept override { return *draining_; }
    [[nodiscard]] const Identity* identity() const noexcept override { return &identity_; }
    [[nodiscard]] Endpoint listening_on() const override;
    void close() noexcept override;

private:
    void on_end() noexcept override;

    Identity identity_;
    std::shared_ptr<ControlLink> control_;
    std::shared_ptr<Heartbeat> heartbeat_;
    std::shared_ptr<std::atomic<bool>> draining_ = std::make_shared<std::atomic<bool>>(false);
};

/// Without a master.
class ListenInlet final : public CountingInlet {
public:
    ListenInlet(boost::asio::io_context& io, FallbackListener listener);

    void ready() override {}
    [[nodiscard]] bool is_draining() const noexcept override { return false; }
    [[nodiscard]] const Identity* identity() const noexcept override { return nullptr; }
    [[nodiscard]] Endpoint listening_on() const override { return address_; }

private:
    void on_end() noexcept override {}

    Endpoint address_;
};

} // namespace usher::worker
