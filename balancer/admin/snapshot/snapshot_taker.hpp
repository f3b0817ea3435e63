// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/snapshot/master_snapshot.hpp"
#include "balancer/admin/snapshot/usage_meter.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>

namespace usher {

/// Takes snapshots, and has read from /proc what the processes use.  Nothing runs, and nothing is
/// read, while nobody asks.
class SnapshotTaker {
public:
    /// `take` says what there is but for that; see take_snapshot().
    SnapshotTaker(boost::asio::any_io_executor executor, std::function<MasterSnapshot()> take);

    /// A slow /proc costs those figures only, and not more than a second.
    [[nodiscard]] boost::asio::awaitable<MasterSnapshot> take();

private:
    boost::asio::any_io_executor executor_;
    std::function<MasterSnapshot()> take_;
    UsageMeter meter_;
};

} // namespace usher
