// SPDX-License-Identifier: MIT
#include "worker/preload/listening_table.hpp"

#include "worker/preload/descriptor.hpp"
#include "worker/preload/inheritance.hpp"

#include <algorithm>
#include <array>

namespace usher::preload {

namespace {

// Without a lock, because accept() may be called from a signal handler.  Entries are few, and each
// is written by whoever has reserved it; `used` bounds the search, which is one comparison for
// nearly every program.
constexpr int nobody = -1;
constexpr int reserved = -2;

constinit std::array<Listening, 64> entries;
constinit std::atomic<std::size_t> used{0};

bool is_true(const Listening& entry, int fd) noexcept
{
    return inheritance().find_queue(inode_of(fd)) == entry.queue;
}

Listening* reserve() noexcept
{
    for (std::size_t i = 0; i < entries.size(); ++i) {
        int expected = nobody;
        if (!entries[i].fd.compare_exchange_strong(expected, reserved))
            continue;
        auto known = used.load();
        while (known < i + 1 && !used.compare_exchange_weak(known, i + 1)) {
        }
        return &entries[i];
    }
    return nullptr;
}

/// Drops the entries whose sockets the program has closed, which nobody has told us.
void sweep() noexcept
{
    for (auto& entry : entries) {
        int fd = entry.fd.load();
        if (fd >= 0 && !is_true(entry, fd))
            entry.fd.compare_exchange_strong(fd, nobody);
    }
}

} // namespace

Listening* find_listening(int fd) noexcept
{
    if (fd < 0)
        return nullptr;
    const auto count = used.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < count; ++i)
        if (entries[i].fd.load(std::memory_order_acquire) == fd)
            return &entries[i];
    return nullptr;
}

Listening* is_listening(int fd) noexcept
{
    auto* const entry = find_listening(fd);
    if (entry == nullptr || is_true(*entry, fd))
        return entry;
    forget_listening(*entry);
    return nullptr;
}

Listening* add_listening(int fd, std::size_t queue, int family, const Address& wanted,
                         bool is_guess) noexcept
{
    if (auto* const old = find_listening(fd))
        forget_listening(*old);
    auto* entry = reserve();
    if (entry == nullptr) {
        sweep();
        entry = reserve();
    }
    if (entry == nullptr)
        return nullptr;
    entry->queue = queue;
    entry->family = family;
    entry->wanted = wanted;
    entry->real = {};
    entry->v6only = false;
    entry->is_guess = is_guess;
    entry->fd.store(fd, std::memory_order_release);
    return entry;
}

void forget_listening(Listening& entry) noexcept
{
    entry.fd.store(nobody, std::memory_order_release);
}

int listening_at(std::size_t queue) noexcept
{
    for (const auto& entry : entries) {
        const int fd = entry.fd.load(std::memory_order_acquire);
        // Not one with a stand-in.
        if (fd >= 0 && entry.queue == queue &&
            inode_of(fd) == inheritance().queues[queue].socket.inode)
            return fd;
    }
    return -1;
}

Listening* find_family(std::size_t queue, int family) noexcept
{
    for (auto& entry : entries) {
        const int fd = entry.fd.load(std::memory_order_acquire);
        if (fd >= 0 && entry.queue == queue && entry.family == family && is_true(entry, fd))
            return &entry;
    }
    return nullptr;
}

void for_each_listening(void (*act)(Listening&)) noexcept
{
    for (auto& entry : entries) {
        const int fd = entry.fd.load(std::memory_order_acquire);
        if (fd >= 0 && is_true(entry, fd))
            act(entry);
    }
}

} // namespace usher::preload
