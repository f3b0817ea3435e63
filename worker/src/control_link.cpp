// SPDX-License-Identifier: MIT
#include "control_link.hpp"

#include "common/async/adopt_fd.hpp"
#include "common/sys/socket/fd_message.hpp"

#include <span>
#include <utility>
#include <variant>

namespace asio = boost::asio;

namespace usher::worker {

ControlLink::ControlLink(asio::io_context& io, sys::UniqueFd socket)
    : socket_{adopt_fd<asio::posix::stream_descriptor>(io, std::move(socket))},
      buffer_{std::make_unique<std::array<std::byte, wire::max_control_message>>()}
{
}

void ControlLink::start(std::function<void()> on_drain)
{
    on_drain_ = std::move(on_drain);
    wait();
}

void ControlLink::wait()
{
    socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                           if (!error && self->socket_.is_open() && self->read_all())
                               self->wait();
                       });
}

bool ControlLink::read_all()
{
    sys::FdMessage message;
    for (;;) {
        const auto error = sys::recv_with_fds(socket_.native_handle(), *buffer_, message);
        if (error == std::errc::operation_would_block)
            return true;
        if (error)
            return false; // the hand-off socket tells that the master is gone

        const auto text = std::span{*buffer_}.first(message.size);
        const auto decoded =
            wire::decode_control({reinterpret_cast<const char*>(text.data()), text.size()});
        if (std::holds_alternative<wire::Drain>(decoded))
            on_drain_();
    }
}

void ControlLink::send(const std::string& packet) noexcept
{
    if (socket_.is_open())
        std::ignore =
            sys::send_with_fds(socket_.native_handle(), std::as_bytes(std::span{packet}), {});
}

void ControlLink::close() noexcept
{
    boost::system::error_code ignored;
    socket_.close(ignored);
}

} // namespace usher::worker
