// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/operations.hpp"
#include "balancer/events/event.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

/// What goes over the control socket, one JSON object a line.
namespace usher {

struct StatusRequest {};
struct ReloadRequest {
    bool dry_run = false; ///< only say what would be done
};
struct RestartRequest {
    std::string pool;
    unsigned slot = 0; ///< 0: all
};
struct DrainRequest {
    std::string pool;
    unsigned slot = 0;
};
struct ScaleRequest {
    std::string pool;
    std::string workers; ///< "4", "+1", "-1"
};
struct SendRequest {
    std::string pool;
    unsigned slot = 0;   ///< 0: all
    std::string message; ///< JSON
};
struct StopRequest {
    bool fast = false;
    bool wait = false; ///< no answer but the master's end
};
struct EventsRequest {
    bool follow = false; ///< not only the recent ones
};
struct BadRequest {
    std::string reason;
};

using Request = std::variant<StatusRequest, ReloadRequest, RestartRequest, DrainRequest,
                             ScaleRequest, SendRequest, StopRequest, EventsRequest, BadRequest>;

/// Never throws for what is in `line`: that is BadRequest.
[[nodiscard]] Request decode_request(std::string_view line);

[[nodiscard]] std::string encode(const Request& request);
[[nodiscard]] std::string encode(const Event& event);
[[nodiscard]] std::string encode(const Outcome& reply);

/// `status` is JSON already.
[[nodiscard]] std::string encode_status(const std::string& status);

/// Tells a client that it reads too slowly, so that `lines` were left out.
[[nodiscard]] std::string encode_dropped(std::uint64_t lines);

/// A line from the master, as the client needs it.
struct Line {
    enum class Kind { event, status, dropped, result, unknown };
    Kind kind = Kind::unknown;
    std::string text; ///< the message, or the status as JSON
    std::string time; ///< of an event
    Outcome::Kind outcome = Outcome::Kind::done;
};
[[nodiscard]] Line decode_line(std::string_view line);

} // namespace usher
