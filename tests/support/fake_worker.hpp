// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/handoff_channel.hpp"
#include "balancer/dispatch/outgoing_packet.hpp"
#include "common/scoreboard.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/fd_message.hpp"
#include "common/wire/handoff.hpp"

#include <cstddef>
#include <cstdint>
#include <system_error>
#include <vector>

namespace usher::test {

/// What a worker was handed.
struct Connection {
    sys::UniqueFd fd;
    wire::HandoffRecord record;
};

/// A worker in this process: reads the worker's end of a hand-off channel by hand.
class FakeWorker {
public:
    explicit FakeWorker(std::size_t max_queue = 64) : channel{max_queue} {}

    /// Reads one packet into `taken`, and counts nothing.
    [[nodiscard]] std::error_code receive();

    /// Reads all that is there, counts it as accepted, and returns the ids in order.
    std::vector<std::uint64_t> take_all();

    [[nodiscard]] ScoreboardPage& page() const noexcept { return board_.page(); }

    HandoffChannel channel;
    std::vector<Connection> taken; ///< what receive() and take_all() read, in order

private:
    Scoreboard board_ = Scoreboard::open(channel.scoreboard().fd());
    std::vector<std::byte> buffer_ = std::vector<std::byte>(wire::max_handoff_packet);
    sys::FdMessage message_;
};

/// Hands `fd`, which stays the caller's, to the worker behind `channel`, in a packet of its own.
[[nodiscard]] std::error_code hand_off(HandoffChannel& channel, int fd,
                                       const wire::HandoffRecord& record);

/// A record with this id and nothing else.
[[nodiscard]] inline wire::HandoffRecord record_of(std::uint64_t id)
{
    return {.id = id};
}

} // namespace usher::test
