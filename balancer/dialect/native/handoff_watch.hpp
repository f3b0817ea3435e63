// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/socket/channel_pair.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <vector>

namespace usher {

/// Tells when the other side of hand-off sockets, or ours, has shut them down.
class HandoffWatch {
public:
    HandoffWatch() = default;
    HandoffWatch(const HandoffWatch&) = delete;
    HandoffWatch& operator=(const HandoffWatch&) = delete;
    ~HandoffWatch() { stop(); }

    /// Calls `handler` once for each of `sockets` that is shut down; also in the turn of the event
    /// loop in which stop() is called.  They must stay until stop().
    ///
    /// Throws boost::system::system_error.
    void start(const boost::asio::any_io_executor& executor,
               const std::vector<sys::ChannelPair>& sockets, const std::function<void()>& handler);
    void stop() noexcept;

private:
    std::vector<boost::asio::posix::stream_descriptor> watched_; ///< borrowed
};

} // namespace usher
