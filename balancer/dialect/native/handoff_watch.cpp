// SPDX-License-Identifier: MIT
#include "balancer/dialect/native/handoff_watch.hpp"

#include <tuple>

namespace asio = boost::asio;

namespace usher {

void HandoffWatch::start(const asio::any_io_executor& executor,
                         const std::vector<sys::ChannelPair>& sockets,
                         const std::function<void()>& handler)
{
    for (const auto& socket : sockets) {
        auto& watched = watched_.emplace_back(executor);
        watched.assign(socket.parent.get());
        // EPOLLHUP ends a wait for errors.  The master's end is shut for reading from its birth,
        // so the other half makes it one (unix_dgram_poll() in the kernel).
        watched.async_wait(asio::posix::stream_descriptor::wait_error,
                           [handler](const boost::system::error_code& cancelled) {
                               if (!cancelled)
                                   handler();
                           });
    }
}

void HandoffWatch::stop() noexcept
{
    for (auto& watched : watched_)
        if (watched.is_open())
            std::ignore = watched.release();
    watched_.clear();
}

} // namespace usher
