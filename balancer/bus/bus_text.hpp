// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/bus/bus_identity.hpp"
#include "balancer/bus/bus_line.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The lines that the master writes on the bus; see docs/worker-protocol.md.  What others have sent
/// goes into them as the bytes it came in; ids are JSON, as are data and errors of replies.
namespace usher {

[[nodiscard]] std::string encode_welcome(std::string_view id, const BusIdentity& who,
                                         std::string_view group);
[[nodiscard]] std::string encode_message(std::string_view topic, std::string_view from,
                                         std::string_view data);
[[nodiscard]] std::string encode_request(std::uint64_t number, std::string_view topic,
                                         std::string_view from, std::chrono::milliseconds timeout,
                                         std::string_view data);

/// `member` is `data` or `error`.
[[nodiscard]] std::string encode_reply(std::string_view id, std::string_view from,
                                       std::string_view member, std::string_view content);
[[nodiscard]] std::string encode_done(std::string_view id, unsigned replies,
                                      const std::vector<std::string>& missing);

/// `more` are further members, each with a comma before it.
[[nodiscard]] std::string encode_ok(std::string_view id, std::string_view more = {});
[[nodiscard]] std::string encode_error(const BusError& error, std::string_view more = {});
[[nodiscard]] std::string encode_lost(std::uint64_t count);
[[nodiscard]] std::string encode_leader(bool is_leader);

} // namespace usher
