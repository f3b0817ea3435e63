// SPDX-License-Identifier: MIT
#include "heartbeat.hpp"

#include <chrono>
#include <utility>

namespace asio = boost::asio;

namespace usher::worker {

namespace {

constexpr std::chrono::seconds interval{1};

} // namespace

Heartbeat::Heartbeat(asio::io_context& io, std::shared_ptr<Scoreboard> scoreboard)
    : scoreboard_{std::move(scoreboard)}, timer_{io}
{
}

void Heartbeat::start()
{
    if (stopped_)
        return;
    scoreboard_->page().heartbeat.store(monotonic_nanoseconds(), std::memory_order_relaxed);
    timer_.expires_after(interval);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
        if (!cancelled)
            self->start();
    });
}

void Heartbeat::stop() noexcept
{
    stopped_ = true;
    timer_.cancel();
}

} // namespace usher::worker
