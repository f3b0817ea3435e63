// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_relay.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace asio = boost::asio;

namespace usher {

NodeRelay::NodeRelay(asio::any_io_executor executor) noexcept : executor_{std::move(executor)} {}

void NodeRelay::join(Member& member)
{
    members_.push_back(&member);
}

void NodeRelay::leave(const Member& member) noexcept
{
    std::erase(members_, &member);
}

void NodeRelay::relay(const Member& sender, std::string_view payload)
{
    const auto is_other = [&](const Member* member) { return member != &sender; };
    if (std::ranges::none_of(members_, is_other))
        return;
    RelayedMessage message{sender.serialization(), payload};
    for (auto* const member : members_)
        if (is_other(member))
            member->keep(message.as(member->serialization()));
    send_soon();
}

void NodeRelay::send_soon()
{
    if (std::exchange(is_due_, true))
        return;
    asio::post(executor_, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self)
            return;
        self->is_due_ = false;
        for (auto* const member : self->members_)
            member->send_kept();
    });
}

} // namespace usher
