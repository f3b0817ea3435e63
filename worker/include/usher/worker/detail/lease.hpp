// SPDX-License-Identifier: MIT
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace usher::worker::detail {

class LeaseBook;

/// One open connection, or a link of the free list.
struct LeaseEntry {
    std::atomic<unsigned> shares{0};
    std::shared_ptr<LeaseBook> book; ///< keeps the book while the lease is out
    LeaseEntry* next_free = nullptr;
};

void intrusive_ptr_add_ref(LeaseEntry* entry) noexcept;
void intrusive_ptr_release(LeaseEntry* entry) noexcept;

/// A share in one open connection; the last share to go reports it closed.
using Lease = boost::intrusive_ptr<LeaseEntry>;

/// Hands out leases and hears when the last share of each is gone.
///
/// Entries are reused, so that a connection costs no allocation.  Shares may be dropped on any
/// thread and may outlive whoever made the book.
class LeaseBook : public std::enable_shared_from_this<LeaseBook> {
public:
    /// `on_return` is called once for each lease, on the thread that drops its last share.
    explicit LeaseBook(std::function<void()> on_return);

    [[nodiscard]] Lease issue();

private:
    friend void intrusive_ptr_release(LeaseEntry* entry) noexcept;
    void take_back(LeaseEntry& entry) noexcept;

    std::function<void()> on_return_;
    std::mutex mutex_;
    std::deque<LeaseEntry> entries_;
    LeaseEntry* free_ = nullptr;
};

} // namespace usher::worker::detail
