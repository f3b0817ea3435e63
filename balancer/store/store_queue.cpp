// SPDX-License-Identifier: MIT
#include "balancer/store/store_queue.hpp"

#include <utility>

namespace usher {

bool StoreQueue::has_room(const std::string& owner) const
{
    const auto found = waiting_.find(owner);
    return found == waiting_.end() ||
           (found->second.jobs.size() < most_changes && found->second.bytes < most_bytes);
}

void StoreQueue::push(Job job)
{
    auto& waiting = waiting_[job.command.owner];
    if (waiting.jobs.empty())
        turns_.push_back(job.command.owner);
    waiting.bytes += job.bytes();
    waiting.jobs.push_back(std::move(job));
}

StoreQueue::Job StoreQueue::pop()
{
    auto owner = std::move(turns_.front());
    turns_.pop_front();
    const auto found = waiting_.find(owner);
    auto& waiting = found->second;
    auto job = std::move(waiting.jobs.front());
    waiting.jobs.pop_front();
    waiting.bytes -= job.bytes();
    if (waiting.jobs.empty())
        waiting_.erase(found);
    else
        turns_.push_back(std::move(owner));
    return job;
}

void StoreQueue::clear() noexcept
{
    waiting_.clear();
    turns_.clear();
}

} // namespace usher
