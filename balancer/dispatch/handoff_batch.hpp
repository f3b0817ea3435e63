// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/outgoing_packet.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/wire/handoff.hpp"

#include <array>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>

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

    /// What is closed here may have been in the hands of another user's worker: see
    /// close_elsewhere().
    void distrust() noexcept { is_distrusted_ = true; }
    [[nodiscard]] bool is_distrusted() const noexcept { return is_distrusted_; }

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

    void close(std::span<const int> fds) const noexcept;

    std::array<int, capacity> fds_{};
    std::array<std::size_t, capacity> slots_{}; ///< or `waiting` or `sent`
    std::array<wire::HandoffRecord, capacity> records_{};
    std::size_t size_ = 0;
    std::size_t waiting_ = 0;
    OutgoingPacket packet_;
    bool is_distrusted_ = false;
};

} // namespace usher
