// SPDX-License-Identifier: MIT
#include "usher/worker/detail/lease.hpp"

namespace usher::worker::detail {

/// One open connection, or a link of the free list.
struct Lease::Entry {
    std::atomic<unsigned> shares{0};
    std::shared_ptr<LeaseBook> book; ///< keeps the book while the lease is out
    Entry* next_free = nullptr;
};

Lease::Lease(const Lease& other) noexcept : entry_{other.entry_}
{
    if (entry_ != nullptr)
        entry_->shares.fetch_add(1, std::memory_order_relaxed);
}

Lease::~Lease()
{
    // Release, so that all the last holder's predecessors did is seen; acquire, so that it is.
    if (entry_ != nullptr && entry_->shares.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        const auto book = std::move(entry_->book);
        book->take_back(*entry_);
    }
}

LeaseBook::LeaseBook(std::function<void()> on_return) : on_return_{std::move(on_return)} {}

LeaseBook::~LeaseBook() = default;

Lease LeaseBook::issue()
{
    Lease::Entry* entry = nullptr;
    {
        const std::scoped_lock lock{mutex_};
        if (free_ == nullptr)
            free_ = &entries_.emplace_back();
        entry = std::exchange(free_, free_->next_free);
    }
    entry->book = shared_from_this();
    entry->shares.store(1, std::memory_order_relaxed);
    return Lease{entry};
}

void LeaseBook::take_back(Lease::Entry& entry) noexcept
{
    {
        const std::scoped_lock lock{mutex_};
        entry.next_free = std::exchange(free_, &entry);
    }
    on_return_();
}

} // namespace usher::worker::detail
