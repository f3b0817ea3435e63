// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/operations.hpp"
#include "balancer/admin/request.hpp"
#include "common/async/condition.hpp"
#include "common/sys/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

namespace usher {

/// One connection to the control socket: a request, its progress, its result, and the end.
class ControlSession final : public std::enable_shared_from_this<ControlSession> {
public:
    ControlSession(const boost::asio::any_io_executor& executor, sys::UniqueFd socket,
                   Operations& operations);

    void start();
    void close() noexcept;

private:
    void spawn(boost::asio::awaitable<void> part);
    void queue(std::string line);

    [[nodiscard]] boost::asio::awaitable<void> run();
    [[nodiscard]] boost::asio::awaitable<void> write_queued();
    [[nodiscard]] boost::asio::awaitable<void> wait_for_hang_up();
    [[nodiscard]] boost::asio::awaitable<Reply> carry_out(Request request);

    boost::asio::local::stream_protocol::socket socket_;
    Operations& operations_;
    Condition queued_;
    std::deque<std::string> queue_; ///< lines that are to be sent
    bool finished_ = false;         ///< no more will be queued
    bool closed_ = false;
};

} // namespace usher
