// SPDX-License-Identifier: MIT
#include "balancer/dispatch/handoff_batch.hpp"

#include "common/async/closing_thread.hpp"
#include "common/sys/fd/close_fds.hpp"

#include <cassert>

namespace usher {

void HandoffBatch::push(sys::UniqueFd fd, const wire::HandoffRecord& record) noexcept
{
    assert(!is_full());
    fds_[size_] = fd.release();
    records_[size_] = record;
    slots_[size_++] = waiting;
    ++waiting_;
}

void HandoffBatch::assign(std::size_t index, std::size_t slot) noexcept
{
    assert(is_waiting(index));
    slots_[index] = slot;
    --waiting_;
}

const OutgoingPacket& HandoffBatch::packet_for(std::size_t slot) noexcept
{
    packet_.clear();
    for (std::size_t i = 0; i < size_; ++i)
        if (slots_[i] == slot)
            packet_.append(fds_[i], records_[i]);
    return packet_;
}

void HandoffBatch::settle(std::size_t slot, bool was_sent) noexcept
{
    for (auto& each : std::span{slots_}.first(size_))
        if (each == slot) {
            each = was_sent ? sent : waiting;
            waiting_ += was_sent ? 0 : 1;
        }
}

void HandoffBatch::close_sent() noexcept
{
    std::array<int, capacity> closing{};
    std::size_t closed = 0;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i) {
        if (slots_[i] == sent) {
            closing[closed++] = fds_[i];
            continue;
        }
        if (kept != i) {
            fds_[kept] = fds_[i];
            slots_[kept] = slots_[i];
            records_[kept] = records_[i];
        }
        ++kept;
    }
    size_ = kept;
    close(std::span{closing}.first(closed));
}

void HandoffBatch::clear() noexcept
{
    close(std::span{fds_}.first(size_));
    size_ = 0;
    waiting_ = 0;
}

void HandoffBatch::close(std::span<const int> fds) const noexcept
{
    if (!is_distrusted_)
        return sys::close_fds(fds);
    for (const int fd : fds)
        close_elsewhere(sys::UniqueFd{fd});
}

} // namespace usher
