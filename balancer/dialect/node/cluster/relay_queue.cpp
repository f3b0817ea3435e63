// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/relay_queue.hpp"

#include "balancer/dialect/node/channel/node_channel.hpp"

#include <utility>

namespace usher {

void RelayQueue::push(Bytes message)
{
    cost_ += NodeChannel::cost_of(*message);
    messages_.push_back(std::move(message));
}

RelayQueue::Bytes RelayQueue::take_one()
{
    auto message = std::move(messages_.front());
    messages_.pop_front();
    cost_ -= NodeChannel::cost_of(*message);
    return message;
}

std::size_t RelayQueue::shrink_to(std::size_t most)
{
    std::size_t dropped = 0;
    for (; cost_ > most; ++dropped)
        static_cast<void>(take_one());
    return dropped;
}

RelayQueue::Bytes RelayQueue::take(std::size_t most)
{
    auto first = take_one();
    const auto fits = [&](std::size_t size) {
        return !is_empty() && size + messages_.front()->size() <= most;
    };
    if (!fits(first->size()))
        return first; // not copied, however long it is
    auto joined = *first;
    while (fits(joined.size()))
        joined += *take_one();
    return std::make_shared<const std::string>(std::move(joined));
}

void RelayQueue::clear() noexcept
{
    messages_.clear();
    cost_ = 0;
}

} // namespace usher
