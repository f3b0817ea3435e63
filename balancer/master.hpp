// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/supervise/pool.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace usher {

/// The master process: builds the pools, runs them, ends them when it is told to.
class Master {
public:
    explicit Master(const Config& config);

    /// Runs until everything has ended; the result is the exit code: 0 after SIGTERM or SIGINT,
    /// 1 if no worker is left that could serve.
    ///
    /// Throws what Pool::open() throws, before any worker is started.
    [[nodiscard]] int run();

private:
    void await_signal();
    void on_signal(int number);
    void on_pool_end();

    // One thread, so no locks: the hint spares Asio its own.
    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_;
    std::uint64_t last_worker_id_ = 0;
    std::vector<std::unique_ptr<Pool>> pools_;
    std::size_t running_pools_ = 0;
    bool stopping_ = false;
};

} // namespace usher
