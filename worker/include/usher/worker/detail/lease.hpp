// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace usher::worker::detail {

class LeaseBook;

/// A share in one open connection; the last share to go reports it closed.
class Lease {
public:
    Lease() noexcept = default;
    Lease(const Lease& other) noexcept;
    Lease(Lease&& other) noexcept : entry_{std::exchange(other.entry_, nullptr)} {}
    Lease& operator=(Lease other) noexcept
    {
        std::swap(entry_, other.entry_);
        return *this;
    }
    ~Lease();

    friend bool operator==(const Lease&, const Lease&) noexcept = default;

private:
    friend class LeaseBook;
    struct Entry;

    explicit Lease(Entry* entry) noexcept : entry_{entry} {}

    Entry* entry_ = nullptr;
};

/// Hands out leases and hears when the last share of each is gone.
///
/// Entries are reused, so that a connection costs no allocation.  Shares may be dropped on any
/// thread and may outlive whoever made the book.
class LeaseBook : public std::enable_shared_from_this<LeaseBook> {
public:
    /// `on_return` is called once for each lease, on the thread that drops its last share.
    explicit LeaseBook(std::function<void()> on_return);
    LeaseBook(const LeaseBook&) = delete;
    LeaseBook& operator=(const LeaseBook&) = delete;
    ~LeaseBook();

    [[nodiscard]] Lease issue();

private:
    friend class Lease;
    void take_back(Lease::Entry& entry) noexcept;

    std::function<void()> on_return_;
    std::mutex mutex_;
    std::deque<Lease::Entry> entries_;
    Lease::Entry* free_ = nullptr;
};

} // namespace usher::worker::detail
