// SPDX-License-Identifier: MIT
#include "worker/preload/inheritance.hpp"

#include "common/wire/environment.hpp"

#include <cstdlib>
#include <cstring>

#include <sys/mman.h>

namespace usher::preload {

namespace {

namespace env = wire::env;

constinit Inheritance the_inheritance;

/// Takes text apart; once something did not fit, everything after it fails.
class Reader {
public:
    explicit Reader(const char* text) noexcept : at_{text} {}

    [[nodiscard]] bool is_good() const noexcept { return at_ != nullptr; }
    [[nodiscard]] bool is_at_end() const noexcept { return at_ == nullptr || *at_ == '\0'; }

    std::uint64_t number() noexcept
    {
        if (at_ == nullptr || *at_ < '0' || *at_ > '9') {
            at_ = nullptr;
            return 0;
        }
        char* end = nullptr;
        const auto value = std::strtoull(at_, &end, 10);
        at_ = end;
        return value;
    }

    void expect(char wanted) noexcept
    {
        if (at_ != nullptr)
            at_ = *at_ == wanted ? at_ + 1 : nullptr;
    }

    Descriptor descriptor() noexcept
    {
        Descriptor result;
        result.fd = static_cast<int>(number());
        expect(':');
        result.inode = static_cast<ino_t>(number());
        return result;
    }

    /// The rest of the line, as an address.
    Address address() noexcept
    {
        if (at_ == nullptr)
            return {};
        const auto size = std::strcspn(at_, "\n");
        const auto result = parse_address(at_, size);
        at_ += size;
        if (*at_ == '\n')
            ++at_;
        return result;
    }

private:
    const char* at_;
};

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
    Reader reader{std::getenv(env::preload_listeners)};
    while (!reader.is_at_end() && all.listener_count < Inheritance::most_listeners) {
        const auto socket = reader.descriptor();
        reader.expect(' ');
        const auto address = reader.address();
        if (!reader.is_good())
            break;
        const auto queue = queue_for(all, socket);
        if (queue == PreloadProgress::most_queues)
            break;
        auto& listener = all.listeners[all.listener_count++];
        listener.queue = queue;
        listener.address = address;
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
    Reader control{std::getenv(env::preload_control)};
    Reader scoreboard{std::getenv(env::preload_scoreboard)};
    Reader end{std::getenv(env::preload_end)};
    auto& all = the_inheritance;
    all.control = control.descriptor();
    const auto page = scoreboard.descriptor();
    all.end_signal = static_cast<int>(end.number());
    end.expect(' ');
    all.end_delay_ms = end.number();
    if (!control.is_good() || !scoreboard.is_good() || !end.is_good() || !read_listeners(all))
        return;
    all.page = map_page(page);
}

} // namespace usher::preload
