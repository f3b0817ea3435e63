// SPDX-License-Identifier: MIT
#include "balancer/bus/bus_connection.hpp"

#include "balancer/bus/bus_limits.hpp"
#include "common/sys/syscall.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include <sys/socket.h>
#include <sys/uio.h>

namespace asio = boost::asio;

namespace usher {

namespace {

/// What is read in one turn of the event loop: some 100 short messages.
constexpr std::size_t read_size = 16UL * 1024;

/// What is written with one system call, and in one turn of the event loop.
constexpr std::size_t write_size = 64UL * 1024;
constexpr std::size_t most_lines_at_once = 256;

/// A line may cost more than it has bytes: to many who have subscribed, of a large value.
constexpr std::chrono::milliseconds longest_turn{1};

constexpr std::chrono::milliseconds memory_pause{10};

/// One buffer for all: what is in it is used up before anybody else reads.
std::array<std::byte, read_size> shared_buffer; // NOLINT(*-avoid-non-const-global-variables)

} // namespace

BusConnection::BusConnection(const asio::any_io_executor& executor, sys::UniqueFd socket,
                             InboundSocket::Senders senders)
    : socket_{executor, std::move(socket), senders}, pause_{executor}
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
    return hear({reinterpret_cast<const char*>(shared_buffer.data()), message.size});
}

/// Until its turn is over, or it has too many answers to read; false if there is nothing to be read
/// until then.
bool BusConnection::hear(std::string_view text)
{
    const auto end_of_turn = BusRouter::Clock::now() + longest_turn;
    bool is_over = false;
    while (listener_ != nullptr && !text.empty() && !is_over) {
        text = take_line(text);
        is_over = listener_ == nullptr || listener_->outbox().is_full_of_answers() ||
                  BusRouter::Clock::now() >= end_of_turn;
    }
    if (listener_ != nullptr)
        listener_->on_heard();
    if (listener_ == nullptr)
        return false;
    unheard_ = std::string{text};
    is_paused_ = listener_->outbox().is_full_of_answers();
    if (!is_paused_ && !unheard_.empty())
        asio::post(socket_.descriptor().get_executor(),
                   [self = shared_from_this()] { self->hear_rest(); });
    return !is_paused_ && unheard_.empty();
}

void BusConnection::hear_rest()
{
    if (listener_ == nullptr || is_paused_)
        return;
    const auto text = std::exchange(unheard_, {});
    if (hear(text))
        read();
}

void BusConnection::read_rest()
{
    constexpr int most_reads = 64;                     // more than a socket holds
    constexpr std::chrono::milliseconds most_time{20}; // honest last words take one or two
    if (listener_ == nullptr)
        return;
    auto rest = std::exchange(unheard_, {});
    for (int i = 0; i < most_reads; ++i) {
        InboundSocket::Message message;
        if (socket_.receive(shared_buffer, message) || message.size == 0)
            break;
        rest.append(reinterpret_cast<const char*>(shared_buffer.data()), message.size);
    }
    std::string_view text = rest;
    const auto end = std::chrono::steady_clock::now() + most_time;
    while (listener_ != nullptr && !text.empty() && !listener_->outbox().is_full_of_answers() &&
           std::chrono::steady_clock::now() < end)
        text = take_line(text);
}

/// Gives on the line with which `text` begins, or keeps it until its end comes; returns the rest.
std::string_view BusConnection::take_line(std::string_view text)
{
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
        return text;
    }
    if (std::exchange(is_skipping_, false))
        return text;
    if (!partial_.empty()) {
        const auto line = std::exchange(partial_, {}).append(piece);
        listener_->on_line(line);
    } else if (!piece.empty()) {
        listener_->on_line(piece);
    }
    return text;
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
        asio::post(socket_.descriptor().get_executor(),
                   [self = shared_from_this()] { self->hear_rest(); });
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

/// False if nobody reads any more, or the kernel has no memory for now.
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
    if (written < 0 && (errno == ENOBUFS || errno == ENOMEM)) {
        wait_for_memory();
        return false;
    }
    if (written < 0) // what is gone shows when we read
        return errno == EAGAIN;
    sent_ += static_cast<std::size_t>(written);
    while (!sending_.empty() && sent_ >= sending_.front()->size()) {
        sent_ -= sending_.front()->size();
        sending_bytes_ -= sending_.front()->size();
        sending_.pop_front();
    }
    return true;
}

/// The socket counts as writable, so that it cannot be waited for.
void BusConnection::wait_for_memory()
{
    waits_for_room_ = true;
    pause_.expires_after(memory_pause);
    pause_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
        self->waits_for_room_ = false;
        if (!cancelled)
            self->write();
    });
}

void BusConnection::close() noexcept
{
    pause_.cancel();
    listener_ = nullptr;
    socket_.close();
}

} // namespace usher
