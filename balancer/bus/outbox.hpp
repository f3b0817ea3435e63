// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/bus_config.hpp"
#include "balancer/store/store_feed.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace usher {

/// What waits for one member of the bus, in its order and bounded: of messages the oldest are lost
/// when it reads too slowly, and it is told how many; answers to its own lines are kept, since
/// nobody listens to a member with too many of them.  Changes of the store are not kept here at
/// all.
class Outbox {
public:
    using Line = std::shared_ptr<const std::string>;

    explicit Outbox(const BusConfig& limits) : limits_{limits} {}

    void add_message(Line line);

    /// It comes when the member's copy of the store, if it has one, has the change `revision`.
    void add_answer(std::string line, std::uint64_t revision = 0);

    /// `store` is followed from now on, behind what has been answered; it must outlive this.
    void follow(const Store& store);

    /// Somebody else hears from now on: no message that waits is for it, nor what was lost.
    void begin_anew() noexcept;

    [[nodiscard]] bool follows() const noexcept { return feed_.has_value(); }

    /// Takes the next line, null if there is none.
    [[nodiscard]] Line next();

    /// No more of its lines should be heard until it has read some of the answers.
    [[nodiscard]] bool is_full_of_answers() const noexcept
    {
        return answer_bytes_ > most_answer_bytes;
    }

    /// There is room for answers of others to what it has asked.
    [[nodiscard]] bool has_room_for_replies() const noexcept
    {
        return answer_bytes_ <= most_reply_bytes;
    }

    /// Messages lost so far, told or not.
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

private:
    static constexpr std::size_t most_answer_bytes = 1024UL * 1024;
    static constexpr std::size_t most_reply_bytes = 4UL * 1024 * 1024;

    struct Waiting {
        std::uint64_t number; ///< of all lines
        std::uint64_t revision;
        Line line;
    };

    BusConfig limits_;
    std::optional<StoreFeed> feed_;
    std::uint64_t last_before_feed_ = 0; ///< number of the last line that goes before it
    bool was_feed_last_ = false;         ///< so that neither it nor messages keep the others out
    std::deque<Waiting> messages_;
    std::deque<Waiting> answers_;
    std::uint64_t last_number_ = 0;
    std::size_t message_bytes_ = 0;
    std::size_t answer_bytes_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t told_lost_ = 0;
};

} // namespace usher
