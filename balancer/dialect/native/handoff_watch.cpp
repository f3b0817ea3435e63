// SPDX-License-Identifier: MIT
#include "balancer/dialect/native/handoff_watch.hpp"

#include <tuple>

namespace asio = boost::asio;

namespace usher {

void HandoffWatch::start(const asio::any_io_executor& executor, const std::vector<int>& sockets,
                         const std::function<void()>& handler)
{
    for (const int socket : sockets) {
        auto& watched = sockets_.emplace_back(executor);
        watched.assign(socket);
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
    for (auto& socket : sockets_)
        if (socket.is_open())
            std::ignore = socket.release();
    sockets_.clear();
}

} // namespace usher
