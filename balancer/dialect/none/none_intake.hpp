// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/intake.hpp"
#include "balancer/dialect/none/none_link.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace usher {

/// That of a pool to which nobody connects.
class NoneIntake final : public Intake {
public:
    explicit NoneIntake(boost::asio::any_io_executor executor) : executor_{std::move(executor)} {}

    [[nodiscard]] ListenerChange prepare(const ResolvedPool& /*next*/,
                                         SocketSource& /*sockets*/) override
    {
        return {.addresses = {}, .commit = [] {}};
    }

    void close(std::function<void()> on_closed) override
    {
        if (on_closed)
            on_closed();
    }

    [[nodiscard]] std::shared_ptr<WorkerLink> connect(std::shared_ptr<const ResolvedPool> config,
                                                      const WorkerIdentity& /*identity*/) override
    {
        return std::make_shared<NoneLink>(executor_, std::move(config));
    }

    [[nodiscard]] std::vector<sys::SocketAddress> addresses() const override { return {}; }

private:
    boost::asio::any_io_executor executor_;
};

} // namespace usher
