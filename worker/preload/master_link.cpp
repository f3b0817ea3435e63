// SPDX-License-Identifier: MIT
#include "worker/preload/master_link.hpp"

#include "worker/preload/inheritance.hpp"

#include <string_view>

#include <sys/socket.h>
#include <unistd.h>

namespace usher::preload {

namespace {

void say(std::string_view message) noexcept
{
    const auto& control = inheritance().control;
    if (is_there(control))
        ::send(control.fd, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/// Sets `bit`; true if nobody had before.
bool is_first(std::uint64_t bit) noexcept
{
    return (inheritance().page->preload.fetch_or(bit) & bit) == 0;
}

} // namespace

void say_loaded() noexcept
{
    if (!is_first(PreloadProgress::loaded))
        return;
    inheritance().page->leader.store(::getpid());
    // One connection a packet: accept() gives one, and what it left in a packet would be lost.
    say(R"({"type":"hello","protocol":1,"max_batch":1})");
}

void say_listening(std::size_t queue) noexcept
{
    auto& all = inheritance();
    all.page->preload.fetch_or(PreloadProgress::listens(queue));
    for (std::size_t i = 0; i < all.queue_count; ++i)
        if ((all.page->preload.load() & PreloadProgress::listens(i)) == 0)
            return;
    if (is_first(PreloadProgress::ready))
        say(R"({"type":"ready"})");
}

} // namespace usher::preload
