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
    if (facts != nullptr)
        entry->facts = *facts;
    // A page that nobody has written to costs nothing.
    if (facts != nullptr || entry->inode.load(std::memory_order_relaxed) != 0)
        entry->inode.store(facts != nullptr ? inode_of(fd) : 0, std::memory_order_release);
}

std::optional<ConnectionFacts> find_facts(int fd) noexcept
{
    const KeepErrno keep;
    const auto* const entry = entry_of(fd);
    const auto inode = entry != nullptr ? entry->inode.load(std::memory_order_acquire) : 0;
    if (inode == 0 || inode_of(fd) != inode)
        return std::nullopt;
    return entry->facts;
}

} // namespace usher::preload
