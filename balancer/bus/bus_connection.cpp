// SPDX-License-Identifier: MIT
#include "balancer/bus/bus_connection.hpp"

#include "balancer/bus/bus_limits.hpp"
#include "common/sys/syscall.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <array>
#include <cerrno>
#include <utility>

#include <sys/socket.h>
#include <sys/uio.h>

namespace asio = boost::asio;

namespace usher {

namespace {

/// What is read in one turn of the event loop: some 100 short messages, which is well below a
/// millisecond.
constexpr std::size_t read_size = 16UL * 1024;

/// What is written with one system call, and in one turn of the event loop.
constexpr std::size_t write_size = 64UL * 1024;
constexpr std::size_t most_lines_at_once = 256;

/// One buffer for all: what is in it is used up before anybody else reads.
std::array<std::byte, read_size> shared_buffer; // NOLINT(*-avoid-non-const-global-variables)

} // namespace

BusConnection::BusConnection(const asio::any_io_executor& executor, sys::UniqueFd socket,
                             InboundSocket::Senders senders)
    : socket_{executor, std::move(socket), senders}
{
    socket_.refuse_descriptors();
}

void BusConnection::start(Listener& listener)
{
    listener_ = &listener;
    read();
}

void BusConnection::read()
{
    socket_.keep_receiving(shared_buffer,
                           [self = shared_from_this()](std::error_code error, const auto& message) {
                               return self->on_received(error, message);
                           });
}

bool BusConnection::on_received(std::error_code error, const InboundSocket::Message& message)
{
    if (listener_ == nullptr)
        return false;
    if (error == std::errc::too_many_files_open) // what came with descriptors is skipped
        return true;
    if (error || message.size == 0) {
        auto& listener = *listener_;
        close();
        listener.on_gone();
        return false;
    }
    take_lines({reinterpret_cast<const char*>(shared_buffer.data()), message.size});
    if (listener_ == nullptr)
        return false;
    listener_->on_heard();
    if (listener_ != nullptr)
        is_paused_ = listener_->outbox().is_full_of_answers();
    return listener_ != nullptr && !is_paused_;
}

void BusConnection::take_lines(std::string_view text)
{
    while (!text.empty() && listener_ != nullptr) {
        const auto end = text.find('\n');
        const auto piece = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (!is_skipping_ && partial_.size() + piece.size() > longest_bus_line) {
            is_skipping_ = true;
            partial_ = {};
            listener_->on_long_line();
        }
        if (end == std::string_view::npos) {
            if (!is_skipping_)
                partial_.append(piece);
            return;
        }
        if (std::exchange(is_skipping_, false))
            continue;
        if (partial_.empty()) {
            if (!piece.empty())
                listener_->on_line(piece);
            continue;
        }
        const auto line = std::exchange(partial_, {}).append(piece);
        listener_->on_line(line);
    }
}

/// Takes so much out of the outbox that one system call is worth it.
void BusConnection::collect()
{
    while (sending_bytes_ < write_size && sending_.size() < most_lines_at_once) {
        auto line = listener_->outbox().next();
        if (!line)
            return;
        sending_bytes_ += line->size();
        sending_.push_back(std::move(line));
    }
}

/// One system call a turn of the event loop.
void BusConnection::write()
{
    if (listener_ == nullptr || waits_for_room_)
        return;
    collect();
    if (sending_.empty() || !send())
        return;
    if (is_paused_ && !listener_->outbox().is_full_of_answers()) {
        is_paused_ = false;
        read();
    }
    collect();
    if (sending_.empty())
        return;
    // Also where the socket has room: others have their turn first.
    waits_for_room_ = true;
    socket_.descriptor().async_wait(
        asio::posix::stream_descriptor::wait_write,
        [self = shared_from_this()](const boost::system::error_code& error) {
            self->waits_for_room_ = false;
            if (!error)
                self->write();
        });
}

/// False if nobody reads any more.
bool BusConnection::send()
{
    std::array<iovec, most_lines_at_once> pieces;
    std::size_t count = 0;
    for (const auto& line : sending_)
        pieces.at(count++) = {.iov_base = const_cast<char*>(line->data()), // NOLINT
                              .iov_len = line->size()};
    pieces[0].iov_base = static_cast<char*>(pieces[0].iov_base) + sent_;
    pieces[0].iov_len -= sent_;
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    const auto written = sys::retry_on_eintr(
        [&] { return ::sendmsg(socket_.fd(), &message, MSG_NOSIGNAL | MSG_DONTWAIT); });
    if (written < 0) // what is gone shows when we read
        return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM;
    sent_ += static_cast<std::size_t>(written);
    while (!sending_.empty() && sent_ >= sending_.front()->size()) {
        sent_ -= sending_.front()->size();
        sending_bytes_ -= sending_.front()->size();
        sending_.pop_front();
    }
    return true;
}

void BusConnection::close() noexcept
{
    listener_ = nullptr;
    socket_.close();
}

} // namespace usher
