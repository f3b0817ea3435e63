// SPDX-License-Identifier: MIT
#include "worker/preload/connection_table.hpp"

#include "worker/preload/descriptor.hpp"

#include <algorithm>
#include <atomic>

#include <sys/mman.h>
#include <sys/resource.h>

namespace usher::preload {

namespace {

/// By descriptor number.  The inode tells whether it still is the same connection: nobody tells us
/// when one is closed.
struct Entry {
    std::atomic<ino_t> inode; ///< 0: no facts
    ConnectionFacts facts;
};

constinit std::atomic<Entry*> table{nullptr};
constinit int capacity = 0;

Entry* entry_of(int fd) noexcept
{
    auto* const entries = table.load(std::memory_order_acquire);
    return entries != nullptr && fd >= 0 && fd < capacity ? entries + fd : nullptr;
}

} // namespace

void make_connection_table() noexcept
{
    constexpr rlim_t largest = 1 << 20;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    // Many programs raise their soft limit to the hard one.  Pages nobody touches cost nothing.
    capacity = static_cast<int>(std::min(limit.rlim_max, largest));
    void* const memory =
        ::mmap(nullptr, static_cast<std::size_t>(capacity) * sizeof(Entry), PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED)
        table.store(static_cast<Entry*>(memory), std::memory_order_release);
}

void set_facts(int fd, const ConnectionFacts* facts) noexcept
{
    auto* const entry = entry_of(fd);
    if (entry == nullptr)
        return;
    if (facts == nullptr) {
        if (entry->inode.load(std::memory_order_relaxed) != 0)
            entry->inode.store(0, std::memory_order_relaxed);
        return;
    }
    entry->facts = *facts;
    entry->inode.store(inode_of(fd), std::memory_order_release);
}

bool find_facts(int fd, ConnectionFacts& facts) noexcept
{
    const auto* const entry = entry_of(fd);
    if (entry == nullptr)
        return false;
    const auto inode = entry->inode.load(std::memory_order_acquire);
    if (inode == 0)
        return false;
    const KeepErrno keep;
    if (inode_of(fd) != inode)
        return false;
    facts = entry->facts;
    return true;
}

} // namespace usher::preload
