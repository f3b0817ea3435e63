// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace usher::test {

/// Clients that ask again and again, with a moment between, until stop().
class AskingClients {
public:
    /// `ask` asks once, on a thread of each client's; what it throws is a problem.
    AskingClients(int clients, std::function<void()> ask);
    AskingClients(const AskingClients&) = delete;
    AskingClients& operator=(const AskingClients&) = delete;
    ~AskingClients() { stop(); }

    /// Returns when so many more have been answered; fails the test if they never are.
    void wait_for(int answers) const;

    /// What went wrong in all.
    std::vector<std::string> stop();

private:
    void ask_on();

    std::function<void()> ask_;
    std::atomic<bool> stopping_{false};
    std::atomic<int> served_{0};
    std::mutex mutex_;
    std::vector<std::string> problems_;
    std::vector<std::jthread> threads_;
};

} // namespace usher::test
