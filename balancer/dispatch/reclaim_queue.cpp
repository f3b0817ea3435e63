// SPDX-License-Identifier: MIT
#include "balancer/dispatch/reclaim_queue.hpp"

#include "common/sys/fd/fd_headroom.hpp"

#include <limits>
#include <utility>

namespace usher {

ReclaimQueue::ReclaimQueue(Observer& observer) : observer_{observer}
{
    message_.fds.reserve(sys::max_fds_per_message); // for good, so that take() need not
}

void ReclaimQueue::add(std::string worker, sys::UniqueFd worker_end, bool same_blow)
{
    queues_.push_back(
        {.worker = std::move(worker), .socket = std::move(worker_end), .same_blow = same_blow});
    drop_probes(queues_.back());
    retire_empty(); // it may be long until somebody can take something, and a socket costs
}

/// Nobody else could answer for that worker.  They stand before all clients, each in a packet of
/// its own, because a worker gets no client before it is ready.
void ReclaimQueue::drop_probes(const DeadWorker& queue)
{
    Head head{};
    while (peek(queue, head) && head.is_probe)
        if (sys::recv_with_fds(queue.socket.get(), buffer_, message_) ==
            std::errc::operation_would_block)
            return; // the worker lives still and was faster
    message_.fds.clear();
}

bool ReclaimQueue::peek(const DeadWorker& queue, Head& head) noexcept
{
    // Enough for the head and the first record, which names the oldest connection.
    std::array<std::byte, wire::handoff_header_size + wire::handoff_record_size> start;
    std::size_t size = 0;
    if (sys::peek_message(queue.socket.get(), start, size))
        return false; // would block or end-of-file: empty

    const auto header = wire::decode_header(std::span{start}.first(size));
    if (!header || size < start.size())
        return false; // the master wrote it itself, so this cannot be
    head.count = header->count;
    const auto record = wire::decode_record(
        std::span{start}.subspan<wire::handoff_header_size, wire::handoff_record_size>());
    head.id = record.id;
    head.is_probe = record.is_probe();
    return true;
}

void ReclaimQueue::read_packet(DeadWorker& queue, HandoffBatch& out)
{
    if (sys::recv_with_fds(queue.socket.get(), buffer_, message_))
        return;

    const auto packet = wire::HandoffPacket::parse(std::span{buffer_}.first(message_.size));
    if (!packet || packet->count() != message_.fds.size())
        return; // what arrived closes with message_

    for (std::size_t i = 0; i < packet->count(); ++i) {
        auto record = packet->record(i);
        if (record.reclaims() == 0 || !queue.same_blow)
            record.set_reclaims(record.reclaims() + 1);
        if (record.reclaims() >= most_reclaims) {
            ++queue.closed;
            continue;
        }
        ++queue.reclaimed;
        out.push(std::move(message_.fds[i]), record);
    }
    message_.fds.clear();
}

void ReclaimQueue::retire_empty()
{
    std::erase_if(queues_, [this](const DeadWorker& queue) {
        Head head{};
        if (peek(queue, head))
            return false;
        observer_.on_reclaimed(queue.worker, queue.reclaimed, queue.closed);
        return true;
    });
}

ReclaimQueue::Outcome ReclaimQueue::take(HandoffBatch& out)
{
    retire_empty();

    DeadWorker* oldest = nullptr;
    Head oldest_head{
        .id = std::numeric_limits<std::uint64_t>::max(), .count = 0, .is_probe = false};
    for (auto& queue : queues_) {
        Head head{};
        if (peek(queue, head) && head.id < oldest_head.id) {
            oldest = &queue;
            oldest_head = head;
        }
    }

    if (oldest == nullptr)
        return Outcome::empty;
    if (!sys::has_fd_headroom(oldest->socket.get(), oldest_head.count))
        return Outcome::no_descriptors;
    read_packet(*oldest, out);
    return Outcome::taken;
}

} // namespace usher
