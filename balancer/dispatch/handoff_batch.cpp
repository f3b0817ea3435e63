// SPDX-License-Identifier: MIT
#include "balancer/dispatch/handoff_batch.hpp"

#include "common/async/closing_thread.hpp"
#include "common/sys/fd/close_fds.hpp"

#include <cassert>
#include <span>

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

/// Its last close, which may be ours, is not to be made here.
bool HandoffBatch::is_suspect(std::size_t index) const noexcept
{
    const bool is_unix = records_[index].peer.family == wire::AddressFamily::unix_domain;
    return strangers_ == Strangers::workers || (strangers_ == Strangers::unix_clients && is_unix);
}

template <typename Predicate>
void HandoffBatch::close_if(Predicate is_closed) noexcept
{
    std::array<int, capacity> closing{};
    std::size_t closed = 0;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i) {
        if (is_closed(i)) {
            if (is_suspect(i))
                close_elsewhere(sys::UniqueFd{fds_[i]});
            else
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
    sys::close_fds(std::span{closing}.first(closed));
}

void HandoffBatch::close_sent() noexcept
{
    close_if([this](std::size_t i) { return slots_[i] == sent; });
}

void HandoffBatch::clear() noexcept
{
    close_if([](std::size_t) { return true; });
    waiting_ = 0;
}

} // namespace usher
