// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace usher::test {

/// Clients that post a nonce and 16 KiB to /echo, or just get /, again and again, with a moment
/// between, until stop().
///
/// A refused, reset, timed out or short answer is a problem, and so is one that is not what was
/// posted.
class Load {
public:
    enum class Mode {
        new_connections, ///< one for each request
        keep_alive,      ///< as long as the worker keeps it, then a new one
        get,             ///< a new one for each, which only asks for /
    };

    Load(std::uint16_t port, unsigned clients, Mode mode = Mode::new_connections);
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;
    ~Load() { stop(); }

    /// Returns when so many requests more have been answered, or at the first problem.
    void wait_for(std::uint64_t requests) const;

    void stop();

    [[nodiscard]] std::uint64_t served() const noexcept { return served_; }
    [[nodiscard]] std::uint64_t problems() const noexcept { return problems_; }
    [[nodiscard]] std::string first_problem() const;

    /// The longest time without any answer, since the first one.
    [[nodiscard]] std::chrono::milliseconds longest_gap() const;

private:
    using Clock = std::chrono::steady_clock;

    void run(unsigned client, Mode mode);
    void count();

    std::uint16_t port_;
    std::atomic<bool> stopping_{false};
    std::atomic<std::uint64_t> served_{0};
    std::atomic<std::uint64_t> problems_{0};
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_; ///< served_, problems_
    std::string first_problem_;
    Clock::time_point last_answer_{}; ///< none yet
    Clock::duration longest_gap_{};
    std::vector<std::jthread> threads_;
};

} // namespace usher::test
