// SPDX-License-Identifier: MIT
#include "balancer/dispatch/reclaim_queue.hpp"

#include "common/async/closing_thread.hpp"

#include <utility>

namespace usher {

ReclaimQueue::ReclaimQueue(Observer& observer) : observer_{observer}
{
    message_.fds.reserve(sys::max_fds_per_message); // for good, so that take() need not
}

ReclaimQueue::~ReclaimQueue()
{
    for (auto& queue : queues_)
        let_go(queue);
}

/// What is in it after all, because somebody who has it as well hides it from us, may linger.
void ReclaimQueue::let_go(DeadWorker& queue) noexcept
{
    if (is_distrusted_)
        drain_elsewhere(std::move(queue.socket));
}

void ReclaimQueue::add(std::string worker, sys::UniqueFd worker_end, Suspicion suspicion)
{
    queues_.push_back(
        {.worker = std::move(worker), .socket = std::move(worker_end), .suspicion = suspicion});
    sys::reset_receiving(queues_.back().socket.get());
    drop_probes(queues_.back());
    retire_empty(); // it may be long until somebody can take something, and a socket costs
}

/// Nobody else could answer for that worker.  They stand before all clients, each in a packet of
/// its own, because a worker gets no client before it is ready.
void ReclaimQueue::drop_probes(const DeadWorker& queue)
{
    for (auto head = peek(queue); head && head->is_probe; head = peek(queue))
        if (sys::recv_with_fds(queue.socket.get(), buffer_, message_) ==
            std::errc::operation_would_block)
            return; // the worker lives still and was faster
    message_.fds.clear();
}

std::optional<ReclaimQueue::Head> ReclaimQueue::peek(const DeadWorker& queue) noexcept
{
    // Enough for the head and the first record, which names the oldest connection.
    std::array<std::byte, wire::handoff_header_size + wire::handoff_record_size> start;
    std::size_t size = 0;
    if (sys::peek_message(queue.socket.get(), start, size))
        return std::nullopt; // would block or end-of-file: empty

    const auto header = wire::decode_header(std::span{start}.first(size));
    if (!header || size < start.size())
        return std::nullopt; // the master wrote it itself, so this cannot be
    const auto record = wire::decode_record(
        std::span{start}.subspan<wire::handoff_header_size, wire::handoff_record_size>());
    return Head{.id = record.id, .count = header->count, .is_probe = record.is_probe()};
}

void ReclaimQueue::read_packet(DeadWorker& queue, HandoffBatch& out)
{
    if (sys::recv_with_fds(queue.socket.get(), buffer_, message_))
        return;

    const auto packet = wire::HandoffPacket::parse(std::span{buffer_}.first(message_.size));
    if (!packet || packet->count() != message_.fds.size()) {
        if (is_distrusted_)
            close_elsewhere(message_.fds);
        return; // else what arrived closes with message_
    }

    for (std::size_t i = 0; i < packet->count(); ++i) {
        auto record = packet->record(i);
        if (queue.suspicion == Suspicion::each ||
            (queue.suspicion == Suspicion::renewed && record.reclaims() == 0))
            record.set_reclaims(record.reclaims() + 1);
        if (record.reclaims() >= most_reclaims) {
            ++queue.closed;
            if (is_distrusted_)
                close_elsewhere(std::move(message_.fds[i]));
            continue;
        }
        ++queue.reclaimed;
        out.push(std::move(message_.fds[i]), record);
    }
    message_.fds.clear();
}

void ReclaimQueue::retire_empty()
{
    for (auto queue = queues_.begin(); queue != queues_.end();) {
        if (peek(*queue)) {
            ++queue;
            continue;
        }
        let_go(*queue);
        reclaimed_ += queue->reclaimed;
        closed_ += queue->closed;
        observer_.on_reclaimed(queue->worker, queue->reclaimed, queue->closed);
        queue = queues_.erase(queue);
    }
}

bool ReclaimQueue::take(HandoffBatch& out)
{
    retire_empty();

    DeadWorker* oldest = nullptr;
    std::optional<Head> oldest_head;
    for (auto& queue : queues_)
        if (const auto head = peek(queue); head && (!oldest_head || head->id < oldest_head->id)) {
            oldest = &queue;
            oldest_head = head;
        }
    if (oldest == nullptr || !sys::has_fd_headroom(oldest->socket.get(), oldest_head->count))
        return false;
    read_packet(*oldest, out);
    return true;
}

} // namespace usher
