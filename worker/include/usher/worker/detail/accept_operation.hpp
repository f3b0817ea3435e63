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
struct AcceptOperation {
    /// Long enough not to spin, short enough that nobody notices when descriptors come free.
    static constexpr std::chrono::milliseconds pause_for_descriptors{50};

    template <typename Self>
    void operator()(Self& self, boost::system::error_code error = {})
    {
        namespace asio = boost::asio;

        if (!started) {
            started = true;
            // Whatever way it is cancelled, nothing is lost: a connection that was not handed
            // over stays where it is.
            self.reset_cancellation_state(asio::enable_total_cancellation());
            if (inlet->has_buffered())
                asio::post(io, std::move(self)); // a handler never runs inside async_accept()
            else
                wait_readable(self);
            return;
        }

        Connection connection{io.get_executor()};
        if (!error && self.cancelled() != asio::cancellation_type::none)
            error = asio::error::operation_aborted;
        if (!error)
            error = inlet->take(connection);

        if (error == asio::error::would_block) {
            wait_readable(self);
        } else if (error == asio::error::no_descriptors) {
            // Each operation has a timer of its own, because several may wait at the same time.
            timer = std::make_unique<asio::steady_timer>(io, pause_for_descriptors);
            auto& pause = *timer; // `self` takes the pointer along
            pause.async_wait(std::move(self));
        } else {
            self.complete(error, std::move(connection));
        }
    }

    template <typename Self>
    void wait_readable(Self& self)
    {
        auto& descriptor = inlet->descriptor();
        descriptor.async_wait(boost::asio::posix::descriptor_base::wait_read, std::move(self));
    }

    boost::asio::io_context& io;
    std::shared_ptr<Inlet> inlet;
    std::unique_ptr<boost::asio::steady_timer> timer{};
    bool started = false;
};

} // namespace usher::worker::detail
