// SPDX-License-Identifier: MIT
#pragma once

#include "usher/worker/bus_message.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

namespace usher::worker::detail {

/// Messages that the application has not asked for yet.  Bounded, as the master's own queue is:
/// what is too much pushes out the oldest, and is counted.
class Unread {
public:
    static constexpr std::size_t most_messages = 10'000;
    static constexpr std::size_t most_bytes = std::size_t{16} * 1024 * 1024;

    void push(Message message)
    {
        bytes_ += size_of(message);
        messages_.push_back(std::move(message));
        while (messages_.size() > most_messages || bytes_ > most_bytes) {
            const auto& oldest = messages_.front();
            lost_ += oldest.kind == Message::Kind::lost ? oldest.count : 1;
            bytes_ -= size_of(oldest);
            messages_.pop_front();
        }
    }

    [[nodiscard]] bool empty() const noexcept { return messages_.empty() && lost_ == 0; }

    /// The next one: first how many were lost before it.
    [[nodiscard]] Message pop()
    {
        if (lost_ > 0) {
            Message lost;
            lost.kind = Message::Kind::lost;
            lost.count = std::exchange(lost_, 0);
            return lost;
        }
        Message first = std::move(messages_.front());
        bytes_ -= size_of(first);
        messages_.pop_front();
        return first;
    }

private:
    [[nodiscard]] static std::size_t size_of(const Message& message) noexcept
    {
        return sizeof message + message.topic.size() + message.from.size() + message.data.size();
    }

    std::deque<Message> messages_;
    std::size_t bytes_ = 0;
    std::uint64_t lost_ = 0;
};

} // namespace usher::worker::detail
