// SPDX-License-Identifier: MIT
#include "worker/preload/master_link.hpp"

#include "worker/preload/inheritance.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <string_view>

#include <linux/futex.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace usher::preload {

namespace {

bool say(std::string_view message) noexcept
{
    const auto& control = inheritance().control;
    return is_there(control) &&
           ::send(control.fd, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

bool is_master_gone() noexcept
{
    pollfd entry{.fd = inheritance().control.fd, .events = 0, .revents = 0};
    return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

/// Waits until `word` is no longer `old`, for a second at the most: the master wakes us, but not
/// when it dies.
void wait_for_change(std::atomic<std::uint32_t>& word, std::uint32_t old) noexcept
{
    timespec second{};
    second.tv_sec = 1;
    ::syscall(SYS_futex, &word, FUTEX_WAIT, old, &second, nullptr, 0);
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
    if (inheritance().asks_dialect)
        return;
    // One connection a packet: accept() gives one, and what it left in a packet would be lost.
    say(R"({"type":"hello","protocol":1,"max_batch":1})");
}

void say_node_primary() noexcept
{
    const KeepErrno keep;
    if (inheritance().asks_dialect && is_first(PreloadProgress::primary))
        say(R"({"type":"node-primary"})");
}

Verdict ask_master(Wish wish, const Address& wanted, bool v6only) noexcept
{
    auto& page = *inheritance().page;
    auto number = page.questions.fetch_add(1) + 1;
    if (number == 0) // of no question
        number = page.questions.fetch_add(1) + 1;
    char address[80];
    format_address(wanted, address, sizeof address);
    char message[256];
    const int size = std::snprintf(
        message, sizeof message,
        R"({"type":"listen","question":%u,"address":"%s","v6only":%s,"bind":%s})", number, address,
        v6only ? "true" : "false", wish == Wish::bind ? "true" : "false");
    if (!say({message, static_cast<std::size_t>(size)}))
        return {.code = ECONNABORTED, .address = {}};

    auto& answer = page.answers[number % page.answers.size()];
    for (auto seen = answer.question.load(std::memory_order_acquire); seen != number;
         seen = answer.question.load(std::memory_order_acquire)) {
        if (is_master_gone())
            return {.code = ECONNABORTED, .address = {}};
        wait_for_change(answer.question, seen);
    }
    return {.code = answer.verdict, .address = from_wire(answer.address)};
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
