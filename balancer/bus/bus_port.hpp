// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/bus/bus.hpp"
#include "balancer/bus/bus_connection.hpp"
#include "balancer/bus/bus_identity.hpp"
#include "balancer/config/bus_config.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <cstdint>
#include <memory>
#include <string_view>

namespace usher {

/// One worker's place on the bus, from before it is started until its process has ended.
class BusPort final : private BusConnection::Listener {
public:
    /// Throws std::system_error.
    BusPort(std::shared_ptr<Bus> bus, BusIdentity who, const BusConfig& limits,
            InboundSocket::Senders senders);
    BusPort(const BusPort&) = delete;
    BusPort& operator=(const BusPort&) = delete;
    ~BusPort();

    /// What its process inherits.
    [[nodiscard]] int worker_end() const noexcept { return worker_end_.get(); }

    /// Its process has it.
    void start();

    /// Messages that it has lost, since it does not read fast enough.
    [[nodiscard]] std::uint64_t lost_messages() const { return bus_->router().lost(member_); }

    /// It is about to end, and must not be the leader.
    void on_leaving();

    /// Its process has ended.
    void on_ended();

private:
    void on_line(std::string_view line) override;
    void on_long_line() override;
    void on_heard() override;
    void on_gone() override;
    [[nodiscard]] Outbox& outbox() override;

    std::shared_ptr<Bus> bus_;
    BusIdentity who_;
    sys::UniqueFd worker_end_;
    std::shared_ptr<BusConnection> connection_;
    BusRouter::Member member_;
};

} // namespace usher
