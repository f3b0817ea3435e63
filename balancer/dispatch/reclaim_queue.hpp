// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/handoff_batch.hpp"
#include "balancer/dispatch/packet_reader.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// What workers had not taken that are dead or were told to end, in the order it came.
///
/// The connections stay in the kernel's queue of that worker's socket until somebody can
/// take them, so that the master never holds more descriptors than one packet carries.
class ReclaimQueue {
public:
    /// A connection that this many workers left when they died is closed: it may be what kills
    /// them.
    static constexpr unsigned most_reclaims = 2;

    /// What the end of a worker says against the connections that it had not taken.
    enum class Suspicion {
        each,    ///< one of them may have killed it
        renewed, ///< whatever killed the last one killed it, too: it says nothing against those
                 ///< again
        none,    ///< it was told to end
    };

    /// Hears what was found in a dead worker's queue once it is empty.
    class Observer {
    public:
        /// `reclaimed` were taken back to go to others, `closed` were given up as suspect.
        virtual void on_reclaimed(std::string_view worker, std::size_t reclaimed,
                                  std::size_t closed) noexcept = 0;

    protected:
        ~Observer() = default;
    };

    explicit ReclaimQueue(Observer& observer) : observer_{observer} {}
    ReclaimQueue(const ReclaimQueue&) = delete;
    ReclaimQueue& operator=(const ReclaimQueue&) = delete;
    ~ReclaimQueue();

    /// Some of the dead, or of those who wait there, are other users: see Strangers.
    void distrust() noexcept { is_distrusted_ = true; }

    /// Takes over the hand-off socket, the worker's end, of `worker`: its name for the log.
    /// The master's own probes in it are dropped.
    void add(std::string worker, sys::UniqueFd worker_end, Suspicion suspicion = Suspicion::each);

    /// False while a queue is left that may hold connections.
    [[nodiscard]] bool is_empty() const noexcept { return queues_.empty(); }

    /// Reads the oldest packet into `out`, which must be empty: it may carry as many as fit there.
    /// False if nothing is left, or RLIMIT_NOFILE leaves no room for it: then try again later.
    /// Allocates nothing.
    [[nodiscard]] bool take(HandoffBatch& out);

    /// How many were taken back, and how many of the rest were closed as suspect, of queues that
    /// are empty by now.
    [[nodiscard]] std::uint64_t reclaimed() const noexcept { return reclaimed_; }
    [[nodiscard]] std::uint64_t closed() const noexcept { return closed_; }

private:
    struct DeadWorker {
        std::string worker;
        sys::UniqueFd socket;
        Suspicion suspicion = Suspicion::each;
        std::size_t reclaimed = 0;
        std::size_t closed = 0;
    };

    void drop_probes(const DeadWorker& queue);
    void retire_empty();
    void let_go(DeadWorker& queue) noexcept;
    void read_packet(DeadWorker& queue, HandoffBatch& out);

    Observer& observer_;
    std::vector<DeadWorker> queues_;
    bool is_distrusted_ = false;
    std::uint64_t reclaimed_ = 0;
    std::uint64_t closed_ = 0;
    PacketReader reader_;
};

} // namespace usher
