// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

namespace usher {

/// Messages of other workers' programs that wait for one worker, in the order in which they came.
/// Their bytes are those of all workers that wait for the same.
class RelayQueue {
public:
    using Bytes = std::shared_ptr<const std::string>;

    void push(Bytes message);

    /// Drops the oldest until what waits costs no more than `most`, counted as
    /// NodeChannel::cost_of() counts; returns how many.
    std::size_t shrink_to(std::size_t most);

    /// Takes off the next messages, joined: one, or as many as have `most` bytes.  Needs one.
    [[nodiscard]] Bytes take(std::size_t most);

    void clear() noexcept;

    [[nodiscard]] bool is_empty() const noexcept { return messages_.empty(); }

private:
    [[nodiscard]] Bytes take_one();

    std::deque<Bytes> messages_;
    std::size_t cost_ = 0;
};

} // namespace usher
