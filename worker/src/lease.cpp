// SPDX-License-Identifier: MIT
#include "usher/worker/detail/lease.hpp"

#include <utility>

namespace usher::worker::detail {

void intrusive_ptr_add_ref(LeaseEntry* entry) noexcept
{
    entry->shares.fetch_add(1, std::memory_order_relaxed);
}

void intrusive_ptr_release(LeaseEntry* entry) noexcept
{
    // Release, so that all the last holder's predecessors did is seen; acquire, so that it is.
    if (entry->shares.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        const auto book = std::move(entry->book);
        book->take_back(*entry);
    }
}

LeaseBook::LeaseBook(std::function<void()> on_return) : on_return_{std::move(on_return)} {}

Lease LeaseBook::issue()
{
    LeaseEntry* entry = nullptr;
    {
        const std::scoped_lock lock{mutex_};
        if (free_ == nullptr)
            free_ = &entries_.emplace_back();
        entry = std::exchange(free_, free_->next_free);
    }
    entry->book = shared_from_this();
    return Lease{entry};
}

void LeaseBook::take_back(LeaseEntry& entry) noexcept
{
    {
        const std::scoped_lock lock{mutex_};
        entry.next_free = std::exchange(free_, &entry);
    }
    on_return_();
}

} // namespace usher::worker::detail
