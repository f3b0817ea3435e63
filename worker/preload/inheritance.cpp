// SPDX-License-Identifier: MIT
#include "worker/preload/inheritance.hpp"

#include "common/wire/environment.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/mman.h>

namespace usher::preload {

namespace {

namespace env = wire::env;

constinit Inheritance the_inheritance;

/// The variable's text; none reads as empty.
const char* text_of(const char* name) noexcept
{
    const char* const text = std::getenv(name);
    return text == nullptr ? "" : text;
}

/// Reads `NUMBER:INODE` and the blanks behind it; returns their size, 0 if it is something else.
std::size_t read_descriptor(const char* text, Descriptor& descriptor) noexcept
{
    int size = 0;
    unsigned long long inode = 0;
    if (std::sscanf(text, "%d:%llu %n", &descriptor.fd, &inode, &size) < 2)
        return 0;
    descriptor.inode = inode;
    return static_cast<std::size_t>(size);
}

/// The queue of this socket, a new one if it is the first of its listeners; nothing but
/// `most_queues` if there are too many.
std::size_t queue_for(Inheritance& all, const Descriptor& socket) noexcept
{
    const auto known = all.find_queue(socket.inode);
    if (known == all.queue_count && known < PreloadProgress::most_queues)
        all.queues[all.queue_count++].socket = socket;
    return known;
}

bool read_listeners(Inheritance& all) noexcept
{
    const char* line = text_of(env::preload_listeners);
    while (all.listener_count < Inheritance::most_listeners) {
        Descriptor socket;
        const auto start = read_descriptor(line, socket);
        if (start == 0)
            break;
        const auto queue = queue_for(all, socket);
        if (queue == PreloadProgress::most_queues)
            break;
        line += start;
        const auto size = std::strcspn(line, "\n");
        auto& listener = all.listeners[all.listener_count++];
        listener.queue = queue;
        listener.address = parse_address(line, size);
        line += size;
    }
    return all.queue_count > 0;
}

ScoreboardPage* map_page(const Descriptor& descriptor) noexcept
{
    if (!is_there(descriptor))
        return nullptr;
    void* const memory =
        ::mmap(nullptr, scoreboard_size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.fd, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<ScoreboardPage*>(memory);
}

} // namespace

std::size_t Inheritance::find_queue(ino_t inode) const noexcept
{
    std::size_t index = 0;
    while (index < queue_count && !queues[index].is(inode))
        ++index;
    return index;
}

Inheritance& inheritance() noexcept
{
    return the_inheritance;
}

void take_inheritance() noexcept
{
    auto& all = the_inheritance;
    Descriptor page;
    if (read_descriptor(text_of(env::preload_control), all.control) == 0 ||
        read_descriptor(text_of(env::preload_scoreboard), page) == 0 ||
        std::sscanf(text_of(env::preload_end), "%d %llu", &all.end_signal, &all.end_delay_ms) < 2 ||
        !read_listeners(all))
        return;
    all.asks_dialect = std::strcmp(text_of(env::preload_ask), "dialect") == 0;
    all.asks_place = all.listeners[0].address.size == 0;
    all.page = map_page(page);
}

} // namespace usher::preload
