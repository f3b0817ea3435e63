// SPDX-License-Identifier: MIT
#include "common/async/closing_thread.hpp"

#include "common/sys/process/blocked_signals.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include <sys/socket.h>

namespace usher {

namespace {

class Closers {
public:
    [[nodiscard]] bool add(sys::UniqueFd fd) noexcept
    {
        const std::lock_guard lock{mutex_};
        try {
            waiting_.push_back(std::move(fd));
        } catch (const std::bad_alloc&) {
            return false; // and it is closed here: to keep it open would be for ever
        }
        if (waiting_.size() > idle_ && threads_ < most_threads)
            start();
        some_.notify_one();
        return waiting_.size() <= most_waiting;
    }

private:
    static constexpr std::size_t most_waiting = 1'024;
    static constexpr std::size_t most_threads = 8;
    static constexpr std::chrono::seconds patience{10};

    void start() noexcept
    {
        try {
            const sys::BlockedSignals blocked; // signals are the loop's
            std::thread{[this] { run(); }}.detach();
            ++threads_;
        } catch (const std::exception&) { // NOLINT(bugprone-empty-catch)
            // The next one tries again.
        }
    }

    void run() noexcept
    {
        constexpr linger none{.l_onoff = 0, .l_linger = 0};
        std::unique_lock lock{mutex_};
        for (;;) {
            ++idle_;
            const bool came = some_.wait_for(lock, patience, [this] { return !waiting_.empty(); });
            --idle_;
            if (!came)
                break;
            auto fd = std::move(waiting_.front());
            waiting_.pop_front();
            lock.unlock();
            // Not a remedy, since others may set it again, but mostly it spares the wait.
            ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
            fd.reset();
            lock.lock();
        }
        --threads_;
    }

    std::mutex mutex_;
    std::condition_variable some_;
    std::deque<sys::UniqueFd> waiting_;
    std::size_t threads_ = 0;
    std::size_t idle_ = 0;
};

} // namespace

bool close_elsewhere(sys::UniqueFd fd) noexcept
{
    // Never destroyed: a thread may be stuck at the process's end.
    static auto& sockets = *new Closers;
    static auto& others = *new Closers;
    int type = 0;
    socklen_t size = sizeof type;
    const bool is_socket = ::getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0;
    return !fd || (is_socket ? sockets : others).add(std::move(fd));
}

bool close_elsewhere(std::vector<sys::UniqueFd>& fds) noexcept
{
    bool all = true;
    for (auto& fd : fds)
        all = close_elsewhere(std::move(fd)) && all;
    fds.clear();
    return all;
}

void close_socket(boost::asio::posix::stream_descriptor& socket, bool is_distrusted) noexcept
{
    boost::system::error_code ignored;
    if (is_distrusted && socket.is_open())
        close_elsewhere(sys::UniqueFd{socket.release()});
    else
        socket.close(ignored);
}

} // namespace usher
