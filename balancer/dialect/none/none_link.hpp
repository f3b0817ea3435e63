// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "balancer/dialect/worker_link.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>

namespace usher {

/// A worker without connections: a process that is started, watched and ended, and no more.
class NoneLink final : public WorkerLink, public std::enable_shared_from_this<NoneLink> {
public:
    NoneLink(const boost::asio::any_io_executor& executor,
             std::shared_ptr<const ResolvedPool> config);

    [[nodiscard]] Equipment equip(std::map<std::string, std::string>& /*environment*/,
                                  int /*first_number*/) const override
    {
        return {.descriptors = {}, .outlives_master = true};
    }

    /// It is ready once it has lived for `start_delay`, unless it says so itself.
    void start(pid_t process, Observer& observer) override;

    void attach() override {}
    void detach() noexcept override {}
    [[nodiscard]] bool drain(std::chrono::milliseconds /*timeout*/) override { return true; }
    void cut_off(bool /*at_fault*/) override {}
    void finish() override;
    [[nodiscard]] bool has_connections() const noexcept override { return false; }

private:
    std::shared_ptr<const ResolvedPool> config_;
    boost::asio::steady_timer timer_;
    Observer* observer_ = nullptr;
};

} // namespace usher
