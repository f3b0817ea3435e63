// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/units/names.hpp"
#include "balancer/events/event.hpp"
#include "balancer/pool/outcome.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// What goes over the control socket, one JSON object a line.
namespace usher {

/// What a client asks for; what a command has no use for is not looked at.
struct Request {
    enum class Command { status, reload, restart, drain, scale, send, stop, events, bus };

    Command command = Command::status;
    std::string pool;     ///< of restart, drain, scale, send and bus
    unsigned slot = 0;    ///< of restart, drain and send; 0: all
    std::string workers;  ///< of scale: "4", "+1", "-1"
    std::string message;  ///< of send: JSON; of bus: lines to say
    bool dry_run = false; ///< of reload: only say what would be done
    bool fast = false;    ///< of stop
    bool wait = false;    ///< of stop: no answer but the master's end
    bool follow = false;  ///< of events: not only the recent ones

    friend bool operator==(const Request&, const Request&) = default;
};

inline constexpr Names<Request::Command, 9> request_names{{
    {Request::Command::status, "status"},
    {Request::Command::reload, "reload"},
    {Request::Command::restart, "restart"},
    {Request::Command::drain, "drain"},
    {Request::Command::scale, "scale"},
    {Request::Command::send, "send"},
    {Request::Command::stop, "stop"},
    {Request::Command::events, "events"},
    {Request::Command::bus, "bus"},
}};

/// Throws std::runtime_error, which says what is wrong with `line`.
[[nodiscard]] Request decode_request(std::string_view line);

[[nodiscard]] std::string encode(const Request& request);
[[nodiscard]] std::string encode(const Event& event);
[[nodiscard]] std::string encode(const Outcome& reply);

/// `status` is JSON already.
[[nodiscard]] std::string encode_status(const std::string& status);

/// `line` is one of the bus, with or without its line feed.
[[nodiscard]] std::string encode_bus(std::string_view line);

/// Tells a client that it reads too slowly, so that `lines` were left out.
[[nodiscard]] std::string encode_dropped(std::uint64_t lines);

/// A line from the master, as the client needs it.
struct Line {
    enum class Kind { event, status, dropped, bus, result, unknown };
    Kind kind = Kind::unknown;
    std::string text; ///< the message, the status as JSON, or a line of the bus
    std::string time; ///< of an event
    Outcome::Kind outcome = Outcome::Kind::done; ///< of a result
};
[[nodiscard]] Line decode_line(std::string_view line);

} // namespace usher
