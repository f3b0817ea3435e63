// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <system_error>

namespace usher {

/// What it asks for: `probe GET /health`.
[[nodiscard]] std::string name_of(const ProbeConfig& probe);

/// Asks a worker over HTTP whether it can serve, again and again, until it answers as it should.
///
/// The question goes where a client's would: the worker is handed one end of a stream pair, and we
/// speak at the other.  So it needs no port, and proves the whole way of a connection.
///
/// `hand_over` hands the worker a connection; the descriptor stays ours.  `report` hears why the
/// worker is not ready, one clause about the last question that has ended, whenever that has
/// changed; empty: it is, and nothing further is asked.  Each question is as `config` has it by
/// then; none follows where it has no `probe` any more.
///
/// Asks and reports nothing from when it is cancelled on.
[[nodiscard]] boost::asio::awaitable<void> probe(std::shared_ptr<const ResolvedPool> config,
                                                 std::function<std::error_code(int fd)> hand_over,
                                                 std::function<void(std::string failure)> report);

} // namespace usher
