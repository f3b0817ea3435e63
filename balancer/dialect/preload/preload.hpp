// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "common/scoreboard_page.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Workers that know nothing of us: programs that listen on a port of their own, with
/// libusher-preload.so loaded into them.
namespace usher {

/// Which queue the connections of each listener go to, in the listeners' order.
///
/// The program has one listening socket for each port or path, and each needs a queue of its own:
/// whoever waits on one socket must not be woken for what another one is for.
///
/// Throws std::runtime_error if there are more than the shim can tell apart.
[[nodiscard]] std::vector<std::uint8_t>
assign_queues(const std::vector<sys::SocketAddress>& listeners);

/// Adds to `environment` what the shim needs, and the shim.  `descriptors` are those of the queues,
/// the control socket and the scoreboard, which get numbers from `first_number` on.  Without
/// `listeners` the pool listens where its program will.
///
/// Throws std::runtime_error if there is none, or if it cannot be loaded into the pool's program.
void add_preload(std::map<std::string, std::string>& environment, const ResolvedPool& config,
                 const std::vector<sys::SocketAddress>& listeners,
                 const std::vector<int>& descriptors, int first_number);

/// Answers the shim's question `number` on the worker's page; `address` is where the pool listens,
/// unspecified: where the program wants to.
void answer_shim(ScoreboardPage& page, std::uint32_t number, std::uint32_t verdict,
                 const sys::SocketAddress& address) noexcept;

/// Writes `address` as it stands in a hand-off record.
void write_shim_address(std::array<unsigned char, 28>& out,
                        const sys::SocketAddress& address) noexcept;

/// Reads an IPv4 or IPv6 address with a port, that of localhost, or a port alone, which means every
/// interface; nothing if it is something else.  An IPv4 address that is written as one of IPv6 is
/// one of IPv4.
[[nodiscard]] std::optional<sys::SocketAddress> parse_tcp_address(std::string_view text);

/// Why a worker that has said nothing of being ready is not: one clause.  `progress` is what its
/// page says, ScoreboardPage::preload.
[[nodiscard]] std::string explain_missing(const std::vector<sys::SocketAddress>& listeners,
                                          std::uint64_t progress);

} // namespace usher
