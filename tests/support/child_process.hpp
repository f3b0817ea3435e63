// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/process/child_process.hpp"

#include "tests/support/run_until.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

namespace usher::test {

/// Starts `command`, and runs `io` for as long as that takes.  Throws what ChildProcess does.
[[nodiscard]] inline std::unique_ptr<ChildProcess> start(boost::asio::io_context& io,
                                                         const ChildProcess::Command& command,
                                                         boost::asio::steady_timer& deadline)
{
    std::unique_ptr<ChildProcess> child;
    std::exception_ptr error;
    bool is_done = false;
    boost::asio::co_spawn(io, ChildProcess::start(command, deadline),
                          [&](std::exception_ptr why, std::unique_ptr<ChildProcess> started) {
                              error = std::move(why);
                              child = std::move(started);
                              is_done = true;
                          });
    if (!run_until(io, [&] { return is_done; }))
        throw std::logic_error{"a start hangs"};
    if (error)
        std::rethrow_exception(error);
    return child;
}

[[nodiscard]] inline std::unique_ptr<ChildProcess> start(boost::asio::io_context& io,
                                                         const ChildProcess::Command& command)
{
    boost::asio::steady_timer deadline{io, std::chrono::seconds{10}};
    return start(io, command, deadline);
}

} // namespace usher::test
