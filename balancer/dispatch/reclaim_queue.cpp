// SPDX-License-Identifier: MIT
#include "balancer/dispatch/reclaim_queue.hpp"

#include "common/async/closing_thread.hpp"

#include <utility>

namespace usher {

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
    const int socket = queue.socket.get();
    for (auto head = PacketReader::peek(socket); head && head->is_probe;
         head = PacketReader::peek(socket))
        if (!reader_.read(socket, false, [](const sys::UniqueFd&, const wire::HandoffRecord&) {}))
            return; // the worker lives still and was faster
}

void ReclaimQueue::read_packet(DeadWorker& queue, HandoffBatch& out)
{
    reader_.read(queue.socket.get(), is_distrusted_,
                 [&](sys::UniqueFd fd, wire::HandoffRecord record) {
                     if (queue.suspicion == Suspicion::each ||
                         (queue.suspicion == Suspicion::renewed && record.reclaims() == 0))
                         record.set_reclaims(record.reclaims() + 1);
                     if (record.reclaims() < most_reclaims) {
                         ++queue.reclaimed;
                         return out.push(std::move(fd), record);
                     }
                     ++queue.closed;
                     if (is_distrusted_)
                         close_elsewhere(std::move(fd));
                 });
}

void ReclaimQueue::retire_empty()
{
    for (auto queue = queues_.begin(); queue != queues_.end();) {
        if (PacketReader::peek(queue->socket.get())) {
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
    std::optional<PacketReader::Head> oldest_head;
    for (auto& queue : queues_)
        if (const auto head = PacketReader::peek(queue.socket.get());
            head && (!oldest_head || head->id < oldest_head->id)) {
            oldest = &queue;
            oldest_head = head;
        }
    if (oldest == nullptr || !sys::has_fd_headroom(oldest->socket.get(), oldest_head->count))
        return false;
    read_packet(*oldest, out);
    return true;
}

} // namespace usher
