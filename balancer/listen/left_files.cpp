// SPDX-License-Identifier: MIT
#include "balancer/listen/left_files.hpp"

#include <exception>
#include <mutex>
#include <utility>

namespace usher::left_files {

namespace {

struct List {
    std::mutex mutex;
    std::vector<std::string> sentences;
    std::function<void()> on_added;
};

/// Never destroyed: a thread may be stuck at the process's end.
List& list()
{
    static auto& instance = *new List;
    return instance;
}

} // namespace

void add(const std::string& sentence) noexcept
try {
    const std::scoped_lock lock{list().mutex};
    list().sentences.push_back(sentence);
    if (list().on_added)
        list().on_added();
} catch (const std::exception&) { // NOLINT(bugprone-empty-catch)
}

void watch(std::function<void()> on_added)
{
    const std::scoped_lock lock{list().mutex};
    list().on_added = std::move(on_added);
}

std::vector<std::string> take()
{
    const std::scoped_lock lock{list().mutex};
    return std::exchange(list().sentences, {});
}

} // namespace usher::left_files
