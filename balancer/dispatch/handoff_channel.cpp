// SPDX-License-Identifier: MIT
#include "balancer/dispatch/handoff_channel.hpp"

#include "common/sys/socket/fd_message.hpp"

#include <algorithm>
#include <utility>

namespace usher {

HandoffChannel::HandoffChannel(std::size_t max_queue) : HandoffChannel{max_queue, {}} {}

HandoffChannel::HandoffChannel(std::size_t max_queue, std::vector<std::uint8_t> queue_of_listener)
    : queue_of_listener_{std::move(queue_of_listener)}, max_queue_{max_queue}
{
    const auto last = std::ranges::max_element(queue_of_listener_);
    const std::size_t queues = last == queue_of_listener_.end() ? 1 : *last + std::size_t{1};
    while (sockets_.size() < queues)
        sockets_.emplace_back(max_queue);
}

std::vector<int> HandoffChannel::worker_ends() const
{
    std::vector<int> result;
    for (const auto& socket : sockets_)
        result.push_back(socket.worker_end());
    return result;
}

sys::UniqueFd HandoffChannel::take_worker_end() noexcept
{
    for (auto& socket : sockets_)
        if (socket.worker_end() >= 0)
            return socket.take_worker_end();
    return {};
}

void HandoffChannel::shut_down() noexcept
{
    for (const auto& socket : sockets_)
        socket.shut_down();
}

std::size_t HandoffChannel::room() const noexcept
{
    // A page that claims more than was ever sent is for audit(); until then it gets nothing.
    const auto taken = page_.accepted();
    if (blocked_ || broken_by_ || taken > sent_)
        return 0;
    const auto queued = sent_ - taken;
    return queued < max_queue_ ? max_queue_ - queued : 0;
}

std::error_code HandoffChannel::send(const OutgoingPacket& packet) noexcept
{
    // A worker with several queues is sent one connection a packet.
    const auto queue = packet.listener() < queue_of_listener_.size()
                           ? queue_of_listener_[packet.listener()]
                           : std::size_t{0};
    if (const auto error = sockets_[queue].send(packet)) {
        blocked_ = true;
        if (!sys::is_back_pressure(error)) {
            broken_by_ = error;
            shut_down(); // so that whoever watches it hears of it
        }
        return error;
    }
    sent_ += packet.count();
    if (on_count_ && sent_ - probes_ >= notify_at_)
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
    if (room() == 0)
        return std::make_error_code(std::errc::operation_would_block);
    wire::HandoffRecord record{.accepted_at = monotonic_nanoseconds(),
                               .peer = {.family = wire::AddressFamily::unix_domain}};
    record.set_probe();
    OutgoingPacket packet;
    packet.append(fd, record);
    ++probes_; // before it is sent, so that it is never taken for a client
    const auto error = send(packet);
    if (error) {
        --probes_;
        unblock(); // nobody waits for room yet
    }
    return error;
}

Figures HandoffChannel::figures() const noexcept
{
    const auto accepted = page_.accepted();
    // What was queued when the worker's end was given away is nobody's here any more.
    const bool gone = sockets_.back().worker_end() < 0;
    const auto queued = !gone && accepted <= sent_ ? sent_ - accepted : 0;
    Figures figures{.handed_off = sent_ - probes_,
                    .queued = queued,
                    .taken = sent_ - queued,
                    .open = std::nullopt,
                    .heartbeat = page_.heartbeat()};
    if (queue_of_listener_.empty()) {
        const auto taken = std::min(accepted, sent_);
        const auto closed = page_.closed();
        figures.open = closed <= taken ? taken - closed : 0;
    }
    return figures;
}

} // namespace usher
