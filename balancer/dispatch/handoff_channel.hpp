// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/figures.hpp"
#include "balancer/dispatch/handoff_batch.hpp"
#include "balancer/dispatch/outgoing_packet.hpp"
#include "balancer/dispatch/packet_reader.hpp"
#include "balancer/dispatch/queue_watch.hpp"
#include "common/scoreboard.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/channel_pair.hpp"
#include "common/wire/handoff.hpp"

#include <boost/intrusive/list_hook.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <system_error>
#include <vector>

namespace usher {

/// The way to one worker: its hand-off socket and its scoreboard, where nothing that it writes is
/// trusted; and how much went and is allowed to.
///
/// A hand-off socket is a pair of SOCK_SEQPACKET, whose sendmsg(2) queues a whole packet or nothing
/// of it.  The master keeps the worker's end as well, so that it can read back what a dead worker
/// had not taken.  For the same reason the worker's death never shows on this socket.
class HandoffChannel : public boost::intrusive::list_base_hook<
                           boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
public:
    /// At most `max_queue` connections are handed to the worker that it has not taken yet.
    ///
    /// With `queue_of_listener` it is a worker that cannot count what it closes, and reads the
    /// connections of listener `i` from a socket of its own: the one with the number
    /// `queue_of_listener[i]`.
    ///
    /// Throws std::system_error.
    explicit HandoffChannel(std::size_t max_queue,
                            std::vector<std::uint8_t> queue_of_listener = {});

    /// It is a worker that counts what it closes, after all, and reads all connections from the
    /// first socket.  Comes before anything is sent.
    void read_from_first_socket() noexcept { queue_of_listener_.clear(); }

    /// POLLHUP at the master's end (`parent`) of one says that it was shut down at either side:
    /// nothing can be sent any more.
    [[nodiscard]] const std::vector<sys::ChannelPair>& sockets() const noexcept { return sockets_; }

    /// To give to the worker, of all of them; -1 if it was taken.
    [[nodiscard]] std::vector<int> worker_ends() const;

    [[nodiscard]] const Scoreboard& scoreboard() const noexcept { return scoreboard_; }

    void set_max_queue(std::size_t count) noexcept { max_queue_ = count; }

    /// How long connections wait here for a worker that takes none until others may have them;
    /// 0: for ever.
    void set_move_after(std::chrono::milliseconds time) noexcept { move_after_ = time; }
    [[nodiscard]] std::chrono::milliseconds move_after() const noexcept { return move_after_; }

    /// The most records per packet that the worker asked for, 1..64.
    void set_max_batch(std::size_t count) noexcept { max_batch_ = count; }
    [[nodiscard]] std::size_t max_batch() const noexcept { return max_batch_; }

    /// Has `handler` called once, when so many connections have been handed over; 0: never.  It is
    /// called in the middle of a hand-off, so it must do no more than take note.
    void notify_at(std::uint64_t count, std::function<void()> handler);

    /// How many more connections it may be sent.  One at a time, and ever more seldom, if what it
    /// had went to others and it has taken none since.
    [[nodiscard]] std::size_t room() const noexcept;

    /// The same for a packet that waits elsewhere, where nobody knows whether this worker takes
    /// any: if nothing waits here, as many as that may carry.
    [[nodiscard]] std::size_t room_for_a_try() const noexcept;

    /// After back-pressure, sys::is_back_pressure(), there is no room until unblock(); after any
    /// other error never again, and its sockets are shut down.
    [[nodiscard]] std::error_code send(const OutgoingPacket& packet) noexcept;
    void unblock() noexcept { blocked_ = false; }

    /// Why nothing can be sent any more, if a send has shown that.
    [[nodiscard]] std::error_code broken_by() const noexcept { return broken_by_; }

    /// Hands over a connection of the master's own as a packet of its own, if there is room;
    /// `fd` stays the caller's.  It counts as queued and taken, and in no other figure.
    [[nodiscard]] std::error_code send_probe(int fd) noexcept;

    /// No further packet comes: the worker reads what is left, then end-of-file.
    void shut_down() noexcept;

    /// Gives away the worker's end, to read back what is still queued; see ReclaimQueue.  Call
    /// it until it is empty: there may be several.
    [[nodiscard]] sys::UniqueFd take_worker_end() noexcept;

    /// Looks at the queue for queue_watch().
    void look(std::chrono::steady_clock::time_point now) noexcept;
    [[nodiscard]] const QueueWatch& queue_watch() const noexcept { return queue_watch_; }

    /// Takes back the next packet that the worker has not taken, if it carries `most` at most, into
    /// `out`, which must be empty.  How many that were; 0 if there is none, or RLIMIT_NOFILE leaves
    /// no room for it.  Probes stay.  `is_relief`: others will take it at once.
    [[nodiscard]] std::size_t take_back(PacketReader& reader, HandoffBatch& out, std::size_t most,
                                        bool is_relief);

    /// As far as the scoreboard can be trusted.
    [[nodiscard]] Figures figures() const noexcept;

    /// What is wrong with the scoreboard; empty if nothing.  Remembers what it saw: a counter that
    /// runs backwards is wrong as well.
    [[nodiscard]] std::string_view audit() noexcept;

private:
    std::vector<sys::ChannelPair> sockets_;
    std::vector<std::uint8_t> queue_of_listener_;
    Scoreboard scoreboard_ = Scoreboard::make();
    std::size_t max_queue_;
    std::size_t max_batch_ = wire::max_handoff_records;
    std::chrono::milliseconds move_after_{0};
    QueueWatch queue_watch_;

    std::uint64_t sent_ = 0;     ///< probes included: the worker counts them among the rest
    std::uint64_t probes_ = 0;   ///< of those
    std::uint64_t moved_ = 0;    ///< taken back, and counted in none of the others
    std::uint64_t relieved_ = 0; ///< of those, given to idle workers
    std::uint64_t notify_at_ = 0;
    std::function<void()> on_count_; ///< empty: nobody wants to know
    bool blocked_ = false;           ///< for want of room, and nothing has changed that since
    std::error_code broken_by_;
    std::uint64_t audited_accepted_ = 0;
    std::uint64_t audited_closed_ = 0;
};

} // namespace usher
