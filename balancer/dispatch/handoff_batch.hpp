// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/outgoing_packet.hpp"
#include "balancer/dispatch/strangers.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/wire/handoff.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <optional>

namespace usher {

/// The connections that one acceptor has in its hands, in the order they came.  Each
///
///     waits for a worker → is meant for the worker in a slot → has been sent, and is to be closed
///                        ←─────────── could not be sent
///
/// It owns them, allocates nothing, and closes them with as few system calls as their numbers
/// allow.
class HandoffBatch {
public:
    static constexpr std::size_t capacity = wire::max_handoff_records;

    HandoffBatch() noexcept = default;
    HandoffBatch(const HandoffBatch&) = delete;
    HandoffBatch& operator=(const HandoffBatch&) = delete;
    ~HandoffBatch() { clear(); }

    /// Who could have us wait at the close of a connection: see close_elsewhere().
    void distrust(Strangers whom) noexcept { strangers_ = std::max(strangers_, whom); }
    [[nodiscard]] Strangers strangers() const noexcept { return strangers_; }

    [[nodiscard]] bool is_empty() const noexcept { return size_ == 0; }
    [[nodiscard]] bool is_full() const noexcept { return size_ == capacity; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Needs not is_full().
    void push(sys::UniqueFd fd, const wire::HandoffRecord& record) noexcept;

    /// Connection `index`, counted from 0.
    [[nodiscard]] int fd(std::size_t index) const noexcept { return fds_[index]; }
    [[nodiscard]] const wire::HandoffRecord& record(std::size_t index) const noexcept
    {
        return records_[index];
    }

    /// True if a connection waits for a worker.
    [[nodiscard]] bool has_waiting() const noexcept { return waiting_ > 0; }
    [[nodiscard]] bool is_waiting(std::size_t index) const noexcept
    {
        return slots_[index] == waiting;
    }

    /// Means connection `index`, which waits, for the worker in `slot`.
    void assign(std::size_t index, std::size_t slot) noexcept;

    /// The slot that connection `index` is meant for; nothing if it waits or was sent.
    [[nodiscard]] std::optional<std::size_t> slot_of(std::size_t index) const noexcept
    {
        return slots_[index] < sent ? std::optional{slots_[index]} : std::nullopt;
    }

    /// What is meant for `slot`; good until the next call.
    [[nodiscard]] const OutgoingPacket& packet_for(std::size_t slot) noexcept;

    /// What is meant for `slot` was sent, or waits again.
    void settle(std::size_t slot, bool was_sent) noexcept;

    /// Closes what was sent; the rest stays in its order.
    void close_sent() noexcept;

    /// Closes all.
    void clear() noexcept;

private:
    static constexpr std::size_t waiting = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t sent = waiting - 1;

    [[nodiscard]] bool is_suspect(std::size_t index) const noexcept;
    template <typename Predicate>
    void close_if(Predicate is_closed) noexcept;

    std::array<int, capacity> fds_{};
    std::array<std::size_t, capacity> slots_{}; ///< or `waiting` or `sent`
    std::array<wire::HandoffRecord, capacity> records_{};
    std::size_t size_ = 0;
    std::size_t waiting_ = 0;
    OutgoingPacket packet_;
    Strangers strangers_ = Strangers::none;
};

} // namespace usher
