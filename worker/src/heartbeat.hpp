// SPDX-License-Identifier: MIT
#pragma once

#include "common/scoreboard.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>

namespace usher::worker {

/// Stamps the scoreboard's heartbeat once a second from the event loop, until stop().
///
/// Must be owned by a shared pointer: a pending wait keeps it alive.
class Heartbeat final : public std::enable_shared_from_this<Heartbeat> {
public:
    Heartbeat(boost::asio::io_context& io, std::shared_ptr<Scoreboard> scoreboard);

    void start();
    void stop() noexcept;

private:
    std::shared_ptr<Scoreboard> scoreboard_;
    boost::asio::steady_timer timer_;
    bool stopped_ = false;
};

} // namespace usher::worker
