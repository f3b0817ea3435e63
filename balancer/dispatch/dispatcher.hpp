// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/connection_sink.hpp"
#include "balancer/dispatch/dispatch_counters.hpp"
#include "balancer/dispatch/handoff_batch.hpp"
#include "balancer/dispatch/handoff_channel.hpp"
#include "balancer/dispatch/reclaim_queue.hpp"
#include "balancer/dispatch/round_robin.hpp"
#include "common/async/back_off.hpp"
#include "common/async/handler_memory.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/dynamic_bitset.hpp>
#include <boost/intrusive/list.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace usher {

/// Gives connections to the workers of one pool.
///
/// Sources, in this order: what a full socket gave back, what dead workers had not taken, what
/// the listeners accept.  A listener asks for room before it accepts, so that nothing is ever
/// accepted without a worker to go to; while there is none, the kernel's backlog holds the
/// clients.
///
/// On the way of a connection nothing is allocated, so nothing can fail for want of memory.
class Dispatcher final : public ConnectionSink {
public:
    Dispatcher(const boost::asio::any_io_executor& executor, ReclaimQueue::Observer& observer);

    /// Some of its workers, or clients at Unix sockets, are other users.
    void distrust(Strangers whom) noexcept
    {
        batch_.distrust(whom);
        reclaim_queue_.distrust();
    }
    [[nodiscard]] Strangers strangers() const noexcept { return batch_.strangers(); }

    /// Makes the worker behind `channel` eligible in `slot`, counted from 0, in place of the one
    /// that was.  The channel must stay until detach() or until another takes its place.
    void attach(std::size_t slot, HandoffChannel& channel);

    /// Gives the worker behind `channel` nothing from now on; does nothing if `slot` is another's.
    /// What waits there may still go to others, until the channel ends.
    void detach(std::size_t slot, HandoffChannel& channel) noexcept;

    /// Looks soon at what waits behind busy workers.  By itself it does so when connections come:
    /// call it when a channel's move_after has changed.
    void watch_queues();

    /// True if somebody is attached.
    [[nodiscard]] bool has_workers() const noexcept;

    /// Takes back what `worker`, a name for the log, had not taken and gives it to others, oldest
    /// first.  `worker_end` is its end of the hand-off socket, `started` when it was started.
    void reclaim(std::string worker, sys::UniqueFd worker_end,
                 std::chrono::steady_clock::time_point started =
                     std::chrono::steady_clock::time_point::max());

    /// The same of a worker that lives and has been told to end, as all of a generation are at a
    /// reload: that says nothing against a connection, however many workers it is taken back from.
    void take_back(std::string worker, sys::UniqueFd worker_end);

    [[nodiscard]] bool has_room() noexcept override;
    void give(sys::UniqueFd fd, const wire::HandoffRecord& record) noexcept override;
    void flush() override;
    void wait_for_room(Source& source) override;
    void forget(Source& source) noexcept override;

    /// Ends it: connections that have no worker yet are closed, and counted in the result.
    std::size_t stop();

    [[nodiscard]] DispatchCounters counters() const noexcept
    {
        return {.handed_off = handed_off_,
                .reclaimed = reclaim_queue_.reclaimed(),
                .moved = moved_,
                .closed_as_suspect = reclaim_queue_.closed()};
    }

private:
    struct Slot {
        HandoffChannel* channel = nullptr; ///< null: nobody is there
        std::size_t room = 0;              ///< for so many more, as of the last look
        std::size_t meant = 0;             ///< in the batch, not sent
    };

    [[nodiscard]] bool has_eligible() noexcept;
    void assign(std::size_t index, RoundRobin& policy) noexcept;
    void deliver(std::size_t number) noexcept;
    void pump();
    void resume_sources();
    void watch_for_room();
    void on_watch();
    void on_queue_look();
    void move_from(HandoffChannel& busy);
    [[nodiscard]] std::size_t offer_to(bool (QueueWatch::*which)() const noexcept,
                                       std::size_t (HandoffChannel::*room)()
                                           const noexcept) noexcept;

    RoundRobin policy_;
    RoundRobin moves_; ///< of what went to others: it costs nobody a turn
    std::vector<Slot> slots_;
    boost::dynamic_bitset<> eligible_; ///< slots with room; none: to be looked for
    HandoffBatch batch_;               ///< what waits in it goes ahead of everything else
    ReclaimQueue reclaim_queue_;

    /// Those who wait for room.
    boost::intrusive::list<Source, boost::intrusive::constant_time_size<false>> waiting_;
    boost::asio::steady_timer watch_;
    std::shared_ptr<HandlerMemory> watch_memory_ = std::make_shared<HandlerMemory>();
    /// A scoreboard is memory, so a queue that shortens wakes nobody: while every queue is full the
    /// dispatcher looks at them itself.  At 1 ms a worker with 64 connections waiting cannot run
    /// dry between two looks; the longer nothing moves, the rarer the look.
    BackOff watch_pause_{std::chrono::milliseconds{1}, std::chrono::milliseconds{16}};
    bool watching_ = false;

    /// Looks at what waits behind busy workers, as long as connections come.
    boost::asio::steady_timer queue_timer_;
    std::shared_ptr<HandlerMemory> queue_memory_ = std::make_shared<HandlerMemory>();
    bool watching_queues_ = false;
    std::uint64_t looked_at_ = 0; ///< of handed_off_
    PacketReader reader_;
    /// Workers that get nothing more, and may have something in their queues.
    boost::intrusive::list<HandoffChannel, boost::intrusive::constant_time_size<false>> leaving_;

    std::chrono::steady_clock::time_point last_death_{};
    std::uint64_t handed_off_ = 0;
    std::uint64_t moved_ = 0;
};

} // namespace usher
