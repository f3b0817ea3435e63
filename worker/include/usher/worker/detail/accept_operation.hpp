// SPDX-License-Identifier: MIT
#pragma once

#include "usher/worker/connection.hpp"
#include "usher/worker/detail/inlet.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace usher::worker::detail {

/// The steps of one async_accept, for async_compose.
class AcceptOperation {
public:
    AcceptOperation(boost::asio::io_context& io, std::shared_ptr<Inlet> inlet) noexcept
        : io_{&io}, inlet_{std::move(inlet)}
    {
    }

    template <typename Self>
    void operator()(Self& self, boost::system::error_code error = {})
    {
        namespace asio = boost::asio;

        if (!started_) {
            started_ = true;
            // Whatever way it is cancelled, nothing is lost: a connection that was not handed
            // over stays where it is.
            self.reset_cancellation_state(asio::enable_total_cancellation());
            if (inlet_->has_buffered())
                asio::post(*io_, std::move(self)); // a handler never runs inside async_accept()
            else
                wait_readable(self);
            return;
        }

        Connection connection{io_->get_executor()};
        if (!error && self.cancelled() != asio::cancellation_type::none)
            error = asio::error::operation_aborted;
        if (!error)
            error = inlet_->take(connection);

        if (error == asio::error::would_block)
            wait_readable(self);
        else if (error == asio::error::no_descriptors)
            pause(self);
        else
            self.complete(error, std::move(connection));
    }

private:
    /// Long enough not to spin, short enough that nobody notices when descriptors come free.
    static constexpr std::chrono::milliseconds pause_for_descriptors{50};

    template <typename Self>
    void wait_readable(Self& self)
    {
        auto& descriptor = inlet_->descriptor();
        descriptor.async_wait(boost::asio::posix::descriptor_base::wait_read, std::move(self));
    }

    template <typename Self>
    void pause(Self& self)
    {
        // Each operation has a timer of its own, because several may wait at the same time.
        if (!timer_)
            timer_ = std::make_unique<boost::asio::steady_timer>(*io_);
        auto& timer = *timer_;
        timer.expires_after(pause_for_descriptors);
        timer.async_wait(std::move(self));
    }

    boost::asio::io_context* io_;
    std::shared_ptr<Inlet> inlet_;
    std::unique_ptr<boost::asio::steady_timer> timer_;
    bool started_ = false;
};

} // namespace usher::worker::detail
