// SPDX-License-Identifier: MIT
#include "common/async/closing_thread.hpp"

#include "common/async/start_thread.hpp"
#include "common/sys/socket/fd_message.hpp"

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <new>
#include <tuple>
#include <utility>

#include <sys/socket.h>

namespace usher {

namespace {

/// Nobody can add any more.
void drain(int socket) noexcept
{
    sys::FdMessage message;
    std::array<std::byte, 4096> ignored;
    while (!sys::recv_without_fds(socket, ignored, message) && !sys::is_end(socket, message))
        ; // and what came with it is dropped here
}

class Closers {
public:
    [[nodiscard]] bool add(sys::UniqueFd fd, std::function<void()> first = {}) noexcept
    {
        Task task{.first = std::move(first), .fd = std::move(fd)};
        std::unique_lock lock{mutex_};
        try {
            waiting_.push_back(std::move(task));
        } catch (const std::bad_alloc&) {
            lock.unlock(); // what it does may have more to add
            do_now(task);  // to keep it open would be for ever
            return false;
        }
        if (waiting_.size() > idle_ && threads_ < most_threads)
            start();
        some_.notify_one();
        return waiting_.size() <= most_waiting;
    }

    /// Waits until nothing is left to do, or for so long.
    void finish(std::chrono::milliseconds longest) noexcept
    {
        std::unique_lock lock{mutex_};
        const auto end = std::chrono::steady_clock::now() + longest;
        while (threads_ == 0 && !waiting_.empty() && std::chrono::steady_clock::now() < end)
            do_next(lock); // nobody else does it
        done_.wait_until(lock, end, [this] { return waiting_.empty() && busy_ == 0; });
    }

private:
    struct Task {
        std::function<void()> first;
        sys::UniqueFd fd;
    };

    static constexpr std::size_t most_waiting = 1'024;
    static constexpr std::size_t most_threads = 8;
    static constexpr std::chrono::seconds patience{10};

    static void do_now(Task& task) noexcept
    {
        constexpr linger none{.l_onoff = 0, .l_linger = 0};
        if (task.first)
            task.first();
        // Not a remedy, since others may set it again, but mostly it spares the wait.  Who is to be
        // reset at once (0 s) makes nobody wait, and that is for those to say who have it now.
        linger asked{};
        socklen_t size = sizeof asked;
        if (task.fd && ::getsockopt(task.fd.get(), SOL_SOCKET, SO_LINGER, &asked, &size) == 0 &&
            asked.l_onoff != 0 && asked.l_linger > 0)
            ::setsockopt(task.fd.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
        task = Task{};
    }

    void start() noexcept
    {
        try {
            start_thread([this] { run(); });
            ++threads_;
        } catch (const std::exception&) { // NOLINT(bugprone-empty-catch)
            // The next one tries again.
        }
    }

    void run() noexcept
    {
        std::unique_lock lock{mutex_};
        for (;;) {
            ++idle_;
            const bool came = some_.wait_for(lock, patience, [this] { return !waiting_.empty(); });
            --idle_;
            if (!came)
                break;
            do_next(lock);
        }
        --threads_;
    }

    void do_next(std::unique_lock<std::mutex>& lock) noexcept
    {
        auto task = std::move(waiting_.front());
        waiting_.pop_front();
        ++busy_;
        lock.unlock();
        do_now(task);
        lock.lock();
        --busy_;
        done_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable some_;
    std::condition_variable done_;
    std::deque<Task> waiting_;
    std::size_t threads_ = 0;
    std::size_t idle_ = 0;
    std::size_t busy_ = 0;
};

// What is stuck in one of these does not stand before the others: above all not before connections.
// Never destroyed: a thread may be stuck at the process's end.
enum class Kind { connections, queues, others, files };

Closers& closers_of(Kind kind) noexcept
{
    static auto& closers =
        *new std::array<Closers, 4>; // NOLINT(bugprone-unhandled-exception-at-new)
    return closers[static_cast<std::size_t>(kind)];
}

} // namespace

bool close_elsewhere(sys::UniqueFd fd) noexcept
{
    int type = 0;
    socklen_t size = sizeof type;
    const bool is_socket = ::getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0;
    return !fd || closers_of(is_socket ? Kind::connections : Kind::others).add(std::move(fd));
}

bool close_elsewhere(std::vector<sys::UniqueFd>& fds) noexcept
{
    bool all = true;
    for (auto& fd : fds)
        all = close_elsewhere(std::move(fd)) && all;
    fds.clear();
    return all;
}

bool drain_elsewhere(sys::UniqueFd socket) noexcept
{
    const int number = socket.get();
    return !socket || closers_of(Kind::queues).add(std::move(socket), [number] { drain(number); });
}

void do_elsewhere(std::function<void()> work) noexcept
{
    std::ignore = closers_of(Kind::files).add({}, std::move(work));
}

void finish_elsewhere(std::chrono::milliseconds longest) noexcept
{
    closers_of(Kind::files).finish(longest);
}

} // namespace usher
