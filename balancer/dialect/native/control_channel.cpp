// SPDX-License-Identifier: MIT
#include "balancer/dialect/native/control_channel.hpp"

#include "common/sys/socket/fd_message.hpp"

#include <span>
#include <utility>

namespace asio = boost::asio;

namespace usher {

ControlChannel::ControlChannel(const asio::any_io_executor& executor, sys::UniqueFd socket,
                               bool is_distrusted)
    : socket_{executor, std::move(socket),
              is_distrusted ? InboundSocket::Senders::others : InboundSocket::Senders::ours},
      buffer_{std::make_unique<std::array<std::byte, wire::max_control_message>>()}
{
    socket_.refuse_descriptors();
}

void ControlChannel::start(Handler handler)
{
    handler_ = std::move(handler);
    socket_.keep_receiving(
        *buffer_, [this, self = shared_from_this()](std::error_code error,
                                                    const InboundSocket::Message& message) {
            return on_received(error, message);
        });
}

bool ControlChannel::on_received(std::error_code error, const InboundSocket::Message& message)
{
    if (message.is_cut || message.descriptors > 0) {
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
        std::ignore = sys::send_with_fds(socket_.fd(), std::as_bytes(std::span{packet}), {});
}

} // namespace usher
