// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/bus/bus.hpp"
#include "balancer/config/bus_config.hpp"

#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace usher {

/// Who speaks on a bus from outside, as `usher`, for as long as this lives.
class BusClient {
public:
    /// `on_output` is called when next() has something new, or is_over() changes.
    BusClient(std::shared_ptr<Bus> bus, std::function<void()> on_output)
        : bus_{std::move(bus)}, member_{bus_->router().join({}, BusConfig{}, std::move(on_output))}
    {
    }
    BusClient(const BusClient&) = delete;
    BusClient& operator=(const BusClient&) = delete;
    ~BusClient()
    {
        bus_->router().leave(member_);
        bus_->settle_soon();
    }

    /// One line without its line feed.
    void say(std::string_view line)
    {
        bus_->router().on_line(member_, line, BusRouter::Clock::now());
        bus_->settle();
    }

    /// The next line with its line feed; null if there is none.
    [[nodiscard]] Outbox::Line next() { return bus_->router().outbox(member_).next(); }

    /// Whether the pools of the bus are gone.
    [[nodiscard]] bool is_over() const { return bus_->router().is_over(member_); }

    /// The name under which pools share the bus: mostly that of the only one.
    [[nodiscard]] const std::string& group() const noexcept { return bus_->router().group(); }

private:
    std::shared_ptr<Bus> bus_;
    BusRouter::Member member_;
};

} // namespace usher
