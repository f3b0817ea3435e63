// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/worker_feed.hpp"
#include "common/scoreboard.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/channel_pair.hpp"
#include "common/wire/handoff.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

namespace usher {

/// The way to one worker: its hand-off socket, both ends, its scoreboard, and the batch that is
/// being put together for it.
///
/// The master keeps the worker's end as well, so that it can read back what a dead worker had
/// not taken.  For the same reason the worker's death never shows on this socket.
class HandoffChannel final : public WorkerFeed {
public:
    /// At most `max_queue` connections are handed to the worker that it has not taken yet.
    ///
    /// Throws std::system_error.
    explicit HandoffChannel(std::size_t max_queue);

    /// For a worker that cannot count what it closes, and reads the connections of listener `i`
    /// from a socket of its own: the one with the number `queue_of_listener[i]`.
    HandoffChannel(std::size_t max_queue, std::vector<std::uint8_t> queue_of_listener);

    /// The descriptors to give to the worker; they stay this object's.
    [[nodiscard]] int worker_fd() const noexcept { return worker_end_.get(); }
    [[nodiscard]] std::vector<int> worker_fds() const; ///< of all its queues

    /// The master's ends.  POLLHUP on one says that it was shut down at either side: nothing can
    /// be sent any more.
    [[nodiscard]] std::vector<int> master_fds() const;
    [[nodiscard]] int scoreboard_fd() const noexcept { return board_.fd(); }

    void set_max_queue(std::size_t count) noexcept override { max_queue_ = count; }

    /// The most records per packet that the worker asked for, 1..64.
    void set_max_batch(std::size_t count) noexcept { max_batch_ = count; }

    void notify_at(std::uint64_t count, std::function<void()> handler) override;

    /// True if one more connection may be appended.
    [[nodiscard]] bool has_room() const noexcept;

    /// Adds a connection to the batch; `fd` is borrowed until the batch is sent or dropped.
    /// Needs has_room() and not is_batch_full().
    void append(int fd, const wire::HandoffRecord& record) noexcept;

    [[nodiscard]] bool has_batch() const noexcept { return batch_size_ > 0; }
    [[nodiscard]] bool is_batch_full() const noexcept { return batch_size_ == max_batch_; }

    /// Sends the batch as one packet.  After an error the batch is still here: take it back with
    /// drop_batch().  After back-pressure, sys::is_back_pressure(), the channel has no room until
    /// unblock(); after any other error never again, and its sockets are shut down.
    [[nodiscard]] std::error_code send_batch() noexcept;

    /// Hands over a connection of the master's own as a packet of its own, if there is room;
    /// `fd` stays the caller's.  It counts as queued, and in no other figure.
    [[nodiscard]] std::error_code send_probe(int fd) noexcept;

    /// One connection of the batch; `fd` is as borrowed as it was in append().
    struct Entry {
        int fd;
        wire::HandoffRecord record;
    };
    [[nodiscard]] Entry batch_entry(std::size_t index) const noexcept;
    [[nodiscard]] std::size_t batch_size() const noexcept { return batch_size_; }
    void drop_batch() noexcept { batch_size_ = 0; }

    /// A send failed for want of room and nothing has changed that since.
    [[nodiscard]] bool is_blocked() const noexcept { return blocked_; }

    /// Why nothing can be sent any more, if a send has shown that.
    [[nodiscard]] std::error_code broken_by() const noexcept { return broken_by_; }
    void unblock() noexcept { blocked_ = false; }

    /// Tells the worker that no further connection will come: it reads what is left, then
    /// end-of-file.
    void shut_down() noexcept;

    /// Gives away the worker's end, to read back what is still queued; see ReclaimQueue.  Call
    /// it until it is empty: there may be several.
    [[nodiscard]] sys::UniqueFd take_worker_end() noexcept;

    /// Probes left out.
    [[nodiscard]] std::uint64_t handed_off() const noexcept override { return sent_ - probes_; }

    /// Taken by the worker's application, as far as its page can be trusted.
    [[nodiscard]] std::uint64_t taken() const noexcept override { return sent_ - queued(); }

    /// Handed to the worker and not taken by its application, as far as its page can be trusted.
    [[nodiscard]] std::uint64_t queued() const noexcept override;

    /// Taken by the application and not closed, as far as its page can be trusted; nothing if the
    /// worker cannot count that.
    [[nodiscard]] std::optional<std::uint64_t> open() const noexcept override;

    /// What the preload shim has seen, as far as the page can be trusted; see PreloadProgress.
    [[nodiscard]] std::uint64_t preload_progress() const noexcept;

    /// When the worker's event loop last stamped its page; the epoch if it never did.
    [[nodiscard]] std::chrono::steady_clock::time_point heartbeat() const noexcept override;

    /// What is wrong with the worker's page; empty if nothing.  Remembers what it saw: a counter
    /// that runs backwards is wrong as well.
    [[nodiscard]] std::string_view audit() noexcept override;

private:
    [[nodiscard]] std::uint64_t accepted() const noexcept;
    [[nodiscard]] int socket_of_batch() const noexcept;

    sys::UniqueFd master_end_;
    sys::UniqueFd worker_end_;
    Scoreboard board_;
    std::size_t max_queue_;
    std::size_t max_batch_ = wire::max_handoff_records;

    std::uint64_t sent_ = 0;   ///< probes included: the worker counts them among the rest
    std::uint64_t probes_ = 0; ///< of those
    std::uint64_t notify_at_ = 0;
    std::function<void()> on_count_; ///< empty: nobody wants to know
    std::uint64_t audited_accepted_ = 0;
    std::uint64_t audited_closed_ = 0;
    bool blocked_ = false;
    std::error_code broken_by_;

    std::size_t batch_size_ = 0;
    std::array<int, wire::max_handoff_records> batch_fds_{};
    std::array<std::byte, wire::max_handoff_packet> packet_{};

    std::vector<sys::ChannelPair> more_queues_; ///< the second one and so on
    std::vector<std::uint8_t> queue_of_listener_;
};

} // namespace usher
