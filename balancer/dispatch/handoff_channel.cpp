// SPDX-License-Identifier: MIT
#include "balancer/dispatch/handoff_channel.hpp"

#include "common/sys/socket/fd_message.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include <sys/socket.h>

namespace usher {

namespace {

/// What one queued packet of one record costs of the sender's buffer, generously: 766 bytes were
/// seen, and the kernel's default (net.core.wmem_default) holds 278 such packets.
constexpr std::size_t buffer_per_connection = 1'024;
constexpr std::size_t default_buffer_holds = 200;

void enlarge_send_buffer(int socket, std::size_t max_queue) noexcept
{
    if (max_queue <= default_buffer_holds)
        return;

    // The first needs CAP_NET_ADMIN, the second stops at net.core.wmem_max.  With neither the
    // kernel's EAGAIN is the bound, which only makes the queue shorter than asked for.
    const int size = static_cast<int>(max_queue * buffer_per_connection);
    if (::setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
        ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

sys::ChannelPair make_queue(std::size_t max_queue)
{
    auto pair = sys::make_channel_pair();
    enlarge_send_buffer(pair.parent.get(), max_queue);

    // The worker never sends here, and what it would send nobody reads.
    ::shutdown(pair.parent.get(), SHUT_RD);
    return pair;
}

} // namespace

HandoffChannel::HandoffChannel(std::size_t max_queue)
    : board_{Scoreboard::make()}, max_queue_{max_queue}
{
    auto pair = make_queue(max_queue);
    master_end_ = std::move(pair.parent);
    worker_end_ = std::move(pair.child);
}

HandoffChannel::HandoffChannel(std::size_t max_queue, std::vector<std::uint8_t> queue_of_listener)
    : HandoffChannel{max_queue}
{
    queue_of_listener_ = std::move(queue_of_listener);
    for (const auto queue : queue_of_listener_)
        while (more_queues_.size() < queue)
            more_queues_.push_back(make_queue(max_queue));
}

std::vector<int> HandoffChannel::worker_fds() const
{
    std::vector<int> result{worker_end_.get()};
    for (const auto& queue : more_queues_)
        result.push_back(queue.child.get());
    return result;
}

std::vector<int> HandoffChannel::master_fds() const
{
    std::vector<int> result{master_end_.get()};
    for (const auto& queue : more_queues_)
        result.push_back(queue.parent.get());
    return result;
}

sys::UniqueFd HandoffChannel::take_worker_end() noexcept
{
    if (worker_end_)
        return std::move(worker_end_);
    for (auto& queue : more_queues_)
        if (queue.child)
            return std::move(queue.child);
    return {};
}

int HandoffChannel::socket_of_batch() const noexcept
{
    // Such a worker is sent one connection a packet.
    const auto listener = batch_entry(0).record.listener;
    const auto queue = listener < queue_of_listener_.size() ? queue_of_listener_[listener] : 0U;
    return queue == 0 ? master_end_.get() : more_queues_[queue - 1].parent.get();
}

std::uint64_t HandoffChannel::accepted() const noexcept
{
    return board_.page().accepted.load(std::memory_order_relaxed);
}

std::uint64_t HandoffChannel::queued() const noexcept
{
    const auto taken = accepted();
    return worker_end_ && taken <= sent_ ? sent_ - taken : 0; // or they were taken back
}

std::optional<std::uint64_t> HandoffChannel::open() const noexcept
{
    if (!queue_of_listener_.empty())
        return std::nullopt;
    const auto taken = std::min(accepted(), sent_);
    const auto closed = board_.page().closed.load(std::memory_order_relaxed);
    return closed <= taken ? taken - closed : 0;
}

std::uint64_t HandoffChannel::preload_progress() const noexcept
{
    return board_.page().preload.load(std::memory_order_relaxed);
}

std::chrono::steady_clock::time_point HandoffChannel::heartbeat() const noexcept
{
    const auto stamp = board_.page().heartbeat.load(std::memory_order_relaxed);
    // The worker writes it, so it may be anything: a time to come is not later than now.
    const auto limit = monotonic_nanoseconds();
    return std::chrono::steady_clock::time_point{
        std::chrono::nanoseconds{static_cast<std::int64_t>(std::min(stamp, limit))}};
}

bool HandoffChannel::has_room() const noexcept
{
    // A page that claims more than was ever sent is for audit(); until then it gets nothing.
    const auto taken = accepted();
    return !blocked_ && !broken_by_ && taken <= sent_ && sent_ + batch_size_ - taken < max_queue_;
}

void HandoffChannel::append(int fd, const wire::HandoffRecord& record) noexcept
{
    assert(!is_batch_full());

    batch_fds_[batch_size_] = fd;
    wire::encode_record(
        std::span{packet_}
            .subspan(wire::handoff_header_size + batch_size_ * wire::handoff_record_size)
            .first<wire::handoff_record_size>(),
        record);
    ++batch_size_;
}

std::error_code HandoffChannel::send_batch() noexcept
{
    assert(has_batch());

    wire::encode_header(std::span{packet_}.first<wire::handoff_header_size>(),
                        static_cast<std::uint16_t>(batch_size_));
    const auto size = wire::handoff_header_size + batch_size_ * wire::handoff_record_size;
    const int socket = more_queues_.empty() ? master_end_.get() : socket_of_batch();
    const auto error = sys::send_with_fds(socket, std::span{packet_}.first(size),
                                          std::span{batch_fds_}.first(batch_size_));
    if (error) {
        blocked_ = true;
        if (!sys::is_back_pressure(error)) {
            broken_by_ = error;
            shut_down(); // so that whoever watches it hears of it
        }
        return error;
    }
    sent_ += batch_size_;
    batch_size_ = 0;
    if (on_count_ && handed_off() >= notify_at_)
        std::exchange(on_count_, nullptr)();
    return {};
}

void HandoffChannel::notify_at(std::uint64_t count, std::function<void()> handler)
{
    notify_at_ = count;
    on_count_ = count > 0 ? std::move(handler) : nullptr;
}

std::error_code HandoffChannel::send_probe(int fd) noexcept
{
    assert(!has_batch());

    if (!has_room())
        return std::make_error_code(std::errc::operation_would_block);
    wire::HandoffRecord record{.accepted_at = monotonic_nanoseconds(),
                               .peer = {.family = wire::AddressFamily::unix_domain}};
    record.set_probe();
    append(fd, record);
    ++probes_; // before it is sent, so that it is never taken for a client
    const auto error = send_batch();
    if (error) {
        --probes_;
        drop_batch();
        unblock(); // nobody waits for room yet
    }
    return error;
}

HandoffChannel::Entry HandoffChannel::batch_entry(std::size_t index) const noexcept
{
    assert(index < batch_size_);

    return {.fd = batch_fds_[index],
            .record = wire::decode_record(
                std::span{packet_}
                    .subspan(wire::handoff_header_size + index * wire::handoff_record_size)
                    .first<wire::handoff_record_size>())};
}

void HandoffChannel::shut_down() noexcept
{
    ::shutdown(master_end_.get(), SHUT_WR);
    for (const auto& queue : more_queues_)
        ::shutdown(queue.parent.get(), SHUT_WR);
}

std::string_view HandoffChannel::audit() noexcept
{
    if (!board_.is_intact())
        return "overwrote the head of its scoreboard";

    // Closed before accepted: a connection that is taken and closed between the two loads then
    // cannot make an honest page look wrong.
    const auto closed = board_.page().closed.load(std::memory_order_acquire);
    const auto taken = accepted();
    if (taken > sent_)
        return "counts more connections on its scoreboard than it was given";
    if (taken < audited_accepted_ || closed < audited_closed_)
        return "counts backwards on its scoreboard";
    if (closed > taken)
        return "counts more closed than accepted connections on its scoreboard";

    audited_accepted_ = taken;
    audited_closed_ = closed;
    return {};
}

} // namespace usher
