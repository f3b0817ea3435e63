// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/events/event_bus.hpp"
#include "balancer/pool/outcome.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace usher {

/// What can be asked of a running master, by its control socket or by signals.
class Operations {
public:
    /// Reads the configuration again and brings it in; see Reloader.
    [[nodiscard]] virtual boost::asio::awaitable<Outcome> reload() = 0;

    /// What reload() would do now, a line each, and changes nothing.
    [[nodiscard]] virtual boost::asio::awaitable<Outcome> plan() = 0;

    /// Replaces the worker in `slot`, or all if it is 0.  An empty `pool` means the only one.
    [[nodiscard]] virtual boost::asio::awaitable<Outcome> restart(std::string pool,
                                                                  unsigned slot) = 0;

    /// Drains the worker in `slot`, which stays empty until it is restarted.
    [[nodiscard]] virtual boost::asio::awaitable<Outcome> drain(std::string pool,
                                                                unsigned slot) = 0;

    /// `workers` is a number, or a difference such as `+1` or `-2`.
    [[nodiscard]] virtual boost::asio::awaitable<Outcome> scale(std::string pool,
                                                                std::string workers) = 0;

    /// Sends `message`, JSON as message_text() makes it, to the program of the worker in `slot`, or
    /// to all if it is 0.  An empty `pool` then means all pools whose workers take messages.
    virtual Outcome send(const std::string& pool, unsigned slot, std::string message) = 0;

    /// Drains and ends everything; with `fast`, without waiting for open connections.
    virtual Outcome stop(bool fast) = 0;

    /// What there is at present, as JSON.
    [[nodiscard]] virtual std::string status() const = 0;

    [[nodiscard]] virtual EventBus& events() = 0;

protected:
    ~Operations() = default;
};

} // namespace usher
