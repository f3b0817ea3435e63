// SPDX-License-Identifier: MIT
#include "balancer/dialect/native/control_channel.hpp"

#include "common/async/adopt_fd.hpp"
#include "common/async/closing_thread.hpp"
#include "common/async/keep_reading.hpp"
#include "common/sys/socket/fd_message.hpp"

#include <span>
#include <utility>

namespace asio = boost::asio;

namespace usher {

ControlChannel::ControlChannel(const asio::any_io_executor& executor, sys::UniqueFd socket,
                               bool is_distrusted)
    : socket_{adopt_fd<asio::posix::stream_descriptor>(executor, std::move(socket))},
      is_distrusted_{is_distrusted},
      buffer_{std::make_unique<std::array<std::byte, wire::max_control_message>>()}
{
}

void ControlChannel::start(Handler handler)
{
    handler_ = std::move(handler);
    keep_reading(socket_, shared_from_this(), [this] { return read_one(); });
}

bool ControlChannel::read_one()
{
    sys::FdMessage message;
    const auto error = sys::recv_with_fds(socket_.native_handle(), *buffer_, message);
    if (error == std::errc::operation_would_block)
        return true;
    if (message.is_cut || !message.fds.empty() || message.fds_dropped) {
        close_elsewhere(message.fds);
        handler_(wire::MalformedMessage{
            .reason = message.is_cut ? "longer than 4 KiB" : "descriptors do not belong here"});
        return true;
    }
    if (error || message.size == 0)
        return false;

    const auto text = std::span{*buffer_}.first(message.size);
    handler_(wire::decode_control({reinterpret_cast<const char*>(text.data()), text.size()}));
    return true;
}

void ControlChannel::send(const std::string& packet) noexcept
{
    if (socket_.is_open())
        std::ignore =
            sys::send_with_fds(socket_.native_handle(), std::as_bytes(std::span{packet}), {});
}

void ControlChannel::close() noexcept
{
    close_socket(socket_, is_distrusted_);
}

} // namespace usher
