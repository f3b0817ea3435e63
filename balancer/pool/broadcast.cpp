// SPDX-License-Identifier: MIT
#include "balancer/pool/broadcast.hpp"

#include "common/text/counted.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <utility>

namespace usher {

void Broadcast::add(std::string worker, Delivery delivery)
{
    switch (delivery) {
    case Delivery::sent:
        ++sent_;
        break;
    case Delivery::held:
        ++held_;
        break;
    case Delivery::full:
        full_.push_back(std::move(worker));
        break;
    case Delivery::none:
        break;
    }
}

std::string Broadcast::text() const
{
    std::string text;
    const auto add = [&](const std::string& clause) {
        text += (text.empty() ? "" : "; ") + clause;
    };
    if (sent_ > 0)
        add("sent to " + counted(sent_, "worker"));
    if (held_ > 0)
        add(fmt::format("{} {} it once listening", counted(held_, "worker"),
                        held_ == 1 ? "gets" : "get"));
    if (!full_.empty())
        add(fmt::format("not sent to {}, where too much waits already that was not read",
                        fmt::join(full_, ", ")));
    return text.empty() ? "no worker runs that could get it" : text;
}

} // namespace usher
