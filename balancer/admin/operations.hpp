// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/request.hpp"
#include "balancer/admin/snapshot/snapshot_taker.hpp"
#include "balancer/bus/bus.hpp"
#include "balancer/events/event_bus.hpp"
#include "balancer/pool/outcome.hpp"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <string>

namespace usher {

/// What can be asked of a running master, by its control socket or by signals.
class Operations {
public:
    /// Does what `request` asks for: everything but `status`, `events` and `bus`.  An empty pool
    /// means the only one, or of `send` without a slot all whose workers take messages.
    [[nodiscard]] virtual boost::asio::awaitable<Outcome> carry_out(Request request) = 0;

    /// What there is at present.
    [[nodiscard]] virtual SnapshotTaker& snapshots() = 0;

    [[nodiscard]] virtual EventBus& events() = 0;

    /// The bus of that pool, of the only one if `pool` is empty; null if that is none, and then
    /// `refusal` says why.
    [[nodiscard]] virtual std::shared_ptr<Bus> find_bus(const std::string& pool,
                                                        Outcome& refusal) = 0;

protected:
    ~Operations() = default;
};

} // namespace usher
