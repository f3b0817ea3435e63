// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/events/event_source.hpp"
#include "balancer/output/loss_report.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace usher {

/// Publishes that lines of workers were lost on their way to one place, as LossReport decides.
///
/// Lives as a shared pointer, because a report may be due later.
class LossReporter final : public std::enable_shared_from_this<LossReporter> {
public:
    /// `where` is how the log calls the place.
    LossReporter(const boost::asio::any_io_executor& executor, EventBus& events, std::string where);

    void on_loss(std::uint64_t lines, std::string reason);

    /// How many did not arrive.
    [[nodiscard]] std::uint64_t total() const noexcept { return losses_.total(); }

    /// Publishes what was not said yet, and what is lost from now on at once; leaves no timer.
    void close();

private:
    void report();
    void publish();

    std::string where_;
    EventSource events_;
    LossReport losses_;
    std::string reason_; ///< of the last loss
    boost::asio::steady_timer timer_;
    bool closed_ = false;
};

} // namespace usher
