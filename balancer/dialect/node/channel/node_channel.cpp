// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_channel.hpp"

#include "common/sys/socket/fd_message.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <span>
#include <utility>

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace asio = boost::asio;

namespace usher {

namespace {

constexpr std::size_t buffer_size = 64UL * 1024;

/// The kernel cuts what is longer into packets, of which only the first has the descriptor; how
/// long those are depends on its version and net.core.wmem_default, but never less.
constexpr std::size_t one_packet = 2'048;

} // namespace

NodeChannel::NodeChannel(const asio::any_io_executor& executor, sys::UniqueFd socket,
                         NodeFrames frames, bool is_distrusted)
    : socket_{executor, std::move(socket),
              is_distrusted ? InboundSocket::Senders::others : InboundSocket::Senders::ours},
      retry_{executor},
      buffer_(buffer_size),
      frames_{std::move(frames)}
{
}

void NodeChannel::start(Observer& observer)
{
    observer_ = &observer;
    socket_.keep_receiving(buffer_,
                           [this, self = shared_from_this()](std::error_code error,
                                                             const InboundSocket::Message& chunk) {
                               return on_received(error, chunk);
                           });
}

/// False if there will be nothing more to read.
bool NodeChannel::on_received(std::error_code error, const InboundSocket::Message& chunk)
{
    // Nobody here wants them, but each is to be acknowledged.
    handles_ += chunk.descriptors;
    if (error || chunk.size == 0) {
        if (!error && frames_.is_in_message())
            observer_->on_broken("closed its channel in the middle of a message");
        else
            observer_->on_end();
        return false;
    }
    if (handles_ > most_handles) {
        observer_->on_broken("sent descriptors without the messages that belong to them");
        return false;
    }

    std::string_view bytes{reinterpret_cast<const char*>(buffer_.data()), chunk.size};
    while (is_open()) {
        const auto message = frames_.next(bytes);
        if (!message)
            break;
        observer_->on_frame(*message);
    }
    if (!is_open() || !frames_.is_too_long())
        return is_open();
    observer_->on_broken(
        fmt::format("sent a message longer than {} MiB", NodeFrames::longest / (1024UL * 1024)));
    return false;
}

bool NodeChannel::read_rest()
{
    if (is_open() && socket_.is_taking())
        return false;
    // As much as is there now: whoever else holds the worker's end could write for ever.
    int left = 0;
    if (!is_open() || ::ioctl(socket_.fd(), FIONREAD, &left) < 0)
        return true;
    InboundSocket::Message chunk;
    for (auto bytes = static_cast<std::size_t>(std::max(left, 0)); bytes > 0 && is_open();
         bytes -= chunk.size) {
        const auto buffer = std::span{buffer_}.first(std::min(bytes, buffer_.size()));
        const auto error = socket_.receive(buffer, chunk);
        if (error == std::errc::operation_would_block)
            return !socket_.has_found_descriptors();
        if (!on_received(error, chunk))
            break;
    }
    return true;
}

bool NodeChannel::take_handle() noexcept
{
    if (handles_ == 0)
        return false;
    --handles_;
    return true;
}

bool NodeChannel::send(std::string_view message, int fd)
{
    if (!is_open())
        return true; // its end is noticed elsewhere
    std::size_t sent = 0;
    if (unsent_.empty() && (!write(message, fd, sent) || sent == message.size()))
        return true;
    if (unsent_bytes_ + cost_of(message) > most_unsent + reserve)
        return false;

    // The descriptor goes with the first byte, so once some went it is there.
    Unsent rest{.message = std::string{message}, .done = sent, .fd = {}};
    if (fd >= 0 && sent == 0) {
        rest.fd = sys::UniqueFd{::fcntl(fd, F_DUPFD_CLOEXEC, 0)};
        if (!rest.fd)
            return false;
    }
    unsent_bytes_ += cost_of(message);
    unsent_.push_back(std::move(rest));
    return true;
}

/// `is_told`: an event comes when there is room.
void NodeChannel::wait_to_write(bool is_told)
{
    if (std::exchange(waiting_to_write_, true))
        return;
    const auto on_ready = [self = shared_from_this()](const boost::system::error_code& error) {
        self->waiting_to_write_ = false;
        if (!error && self->is_open())
            self->write_more();
    };
    if (is_told)
        return socket_.descriptor().async_wait(asio::posix::stream_descriptor::wait_write,
                                               on_ready);
    retry_.expires_after(pause_.next());
    retry_.async_wait(on_ready);
}

/// True if one read(2) of the worker's may yield what was sent last, which had no descriptor, and
/// what comes next.  Deno (2.9) takes a descriptor for the first message's that it finds then.
bool NodeChannel::is_last_unread() noexcept
{
    int unread = 0; // of a Unix socket: until they have been received
    return !had_fd_ && ::ioctl(socket_.fd(), SIOCOUTQ, &unread) == 0 && unread > 0 &&
           // Sends nothing; fails where the worker has shut down reading.
           ::send(socket_.fd(), "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) == 0;
}

/// Sends the beginning of `bytes`, and waits until the rest can follow.  False if nobody reads it.
bool NodeChannel::write(std::string_view bytes, int fd, std::size_t& sent)
{
    sent = 0;
    if (fd >= 0 && is_last_unread()) {
        wait_to_write(false);
        return true;
    }
    const auto error = sys::send_stream(socket_.fd(), std::as_bytes(std::span{bytes}), fd, sent);
    if (error && !sys::is_back_pressure(error)) {
        // Whoever reads here finds the end then, behind what the worker wrote; one that has only
        // shut down its side for reading would go unnoticed otherwise.
        ::shutdown(socket_.fd(), SHUT_RDWR);
        return false;
    }
    if (sent > 0) {
        had_fd_ = fd >= 0 && sent <= one_packet;
        pause_.reset();
    }
    if (sent < bytes.size()) // where too many descriptors are under way (ETOOMANYREFS) nobody tells
        wait_to_write(!error || error == std::errc::operation_would_block);
    return true;
}

void NodeChannel::write_more()
{
    while (!unsent_.empty()) {
        auto& first = unsent_.front();
        std::size_t sent = 0;
        if (!write(std::string_view{first.message}.substr(first.done), first.fd.get(), sent))
            return;
        if (sent > 0)
            first.fd.reset(); // it went with the first byte
        first.done += sent;
        if (first.done < first.message.size())
            return;
        unsent_bytes_ -= cost_of(first.message);
        unsent_.pop_front();
    }
    observer_->on_sent();
}

void NodeChannel::close() noexcept
{
    socket_.close();
    retry_.cancel();
    handles_ = 0;
    unsent_.clear();
    unsent_bytes_ = 0;
}

} // namespace usher
