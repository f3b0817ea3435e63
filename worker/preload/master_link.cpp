// SPDX-License-Identifier: MIT
#include "worker/preload/master_link.hpp"

#include "worker/preload/inheritance.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <optional>
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

/// The question with `number`; false if it cannot be asked any more.
bool send_question(unsigned number, Wish wish, const Address& wanted, bool v6only) noexcept
{
    char address[80];
    format_address(wanted, address, sizeof address);
    char message[256];
    const int size = std::snprintf(
        message, sizeof message,
        R"({"type":"listen","question":%u,"address":"%s","v6only":%s,"bind":%s})", number, address,
        v6only ? "true" : "false", wish == Wish::bind ? "true" : "false");
    while (!say({message, static_cast<std::size_t>(size)})) {
        if (errno != EAGAIN && errno != EINTR)
            return false;
        pollfd entry{.fd = inheritance().control.fd, .events = POLLOUT, .revents = 0};
        ::poll(&entry, 1, 1'000); // many ask at once
    }
    return true;
}

/// The answer to question `number`, once it is there; nothing if it was overwritten by that to
/// another, or the master is gone.
std::optional<Verdict> await_answer(ShimAnswer& answer, std::uint32_t number) noexcept
{
    for (;;) {
        const auto seen = answer.question.load(std::memory_order_acquire);
        if (seen == number) {
            const Verdict verdict{.code = answer.verdict, .address = from_wire(answer.address)};
            std::atomic_thread_fence(std::memory_order_acquire);
            if (answer.question.load(std::memory_order_relaxed) == number)
                return verdict;
            return std::nullopt;
        }
        const auto ahead = static_cast<std::int32_t>(seen - number);
        if (ahead > 0 || is_master_gone())
            return std::nullopt;
        wait_for_change(answer.question, seen);
    }
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
    while (!is_master_gone()) {
        const auto number = page.questions.fetch_add(1) + 1;
        if (number == 0) // of no question
            continue;
        if (!send_question(number, wish, wanted, v6only))
            break;
        if (const auto verdict = await_answer(page.answers[number % page.answers.size()], number))
            return *verdict;
    }
    return {.code = ECONNABORTED, .address = {}};
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
