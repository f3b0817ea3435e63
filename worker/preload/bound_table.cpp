// SPDX-License-Identifier: MIT
#include "worker/preload/bound_table.hpp"

#include "worker/preload/descriptor.hpp"

#include <array>
#include <atomic>

namespace usher::preload {

namespace {

/// A socket between its bind() and its listen().
struct Bound {
    std::atomic<ino_t> inode{0}; ///< 0: nobody; 1, which no socket has: being written
    Address address;
};

constexpr ino_t reserved = 1;

constinit std::array<Bound, 64> entries;
constinit std::atomic<int> count{0}; ///< so that whoever never binds in vain pays nothing

Bound* find(int fd) noexcept
{
    if (count.load(std::memory_order_acquire) == 0)
        return nullptr;
    const KeepErrno keep;
    const auto inode = inode_of(fd);
    if (inode == 0)
        return nullptr;
    for (auto& entry : entries)
        if (entry.inode.load(std::memory_order_acquire) == inode)
            return &entry;
    return nullptr;
}

} // namespace

bool remember_bound(int fd, const Address& address) noexcept
{
    const auto inode = inode_of(fd);
    // Sockets that were closed without listen() are never heard of again: the oldest numbers
    // would fill the table, so each new one may take the place of any that is not its own.
    static constinit std::atomic<unsigned> next{0};
    for (std::size_t tries = 0; tries < 2 * entries.size(); ++tries) {
        auto& entry = entries[next.fetch_add(1) % entries.size()];
        ino_t old = entry.inode.load();
        if (old == reserved || (old != 0 && tries < entries.size()))
            continue;
        if (!entry.inode.compare_exchange_strong(old, reserved))
            continue;
        entry.address = address;
        entry.inode.store(inode, std::memory_order_release);
        if (old == 0)
            count.fetch_add(1, std::memory_order_release);
        return true;
    }
    return false;
}

Address find_bound(int fd) noexcept
{
    const auto* const entry = find(fd);
    return entry != nullptr ? entry->address : Address{};
}

Address take_bound(int fd) noexcept
{
    auto* const entry = find(fd);
    if (entry == nullptr)
        return {};
    const auto address = entry->address;
    entry->inode.store(0, std::memory_order_release);
    count.fetch_sub(1, std::memory_order_release);
    return address;
}

} // namespace usher::preload
