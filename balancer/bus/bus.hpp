// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/bus/bus_router.hpp"
#include "balancer/config/resolved_config.hpp"
#include "balancer/store/store_keeper.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <string>

namespace usher {

/// The bus and the store of one pool, or of those that share.
class Bus final : public std::enable_shared_from_this<Bus> {
public:
    Bus(const boost::asio::any_io_executor& executor, std::string group,
        std::shared_ptr<StoreKeeper> keeper);
    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;

    [[nodiscard]] BusRouter& router() noexcept { return router_; }
    [[nodiscard]] const BusRouter& router() const noexcept { return router_; }
    [[nodiscard]] StoreKeeper& keeper() noexcept { return *keeper_; }
    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept
    {
        return executor_;
    }

    /// Lets everybody hear what the router has for them, and waits for the next deadline.  Comes
    /// after whatever the router was told.
    void settle();

    /// Does so when this turn of the event loop is over.
    void settle_soon();

    /// The pools that have it are removed: nobody from outside need listen any longer.
    void end_outside();

    /// Waits for nothing more.
    void close();

private:
    void wait_for_deadline();

    boost::asio::any_io_executor executor_;
    std::shared_ptr<StoreKeeper> keeper_;
    BusRouter router_;
    boost::asio::steady_timer deadline_;
    bool is_settling_ = false;
};

} // namespace usher
