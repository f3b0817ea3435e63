// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/intake.hpp"
#include "balancer/events/event_bus.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace usher {

/// Dialects of one kind share an intake, so a reload may change from one to the other.
enum class IntakeKind { dispatch, node, listen_fds, none };

[[nodiscard]] IntakeKind intake_kind(Dialect dialect) noexcept;

/// The intake for the pool's dialect.
[[nodiscard]] std::unique_ptr<Intake> make_intake(const boost::asio::any_io_executor& executor,
                                                  EventBus& events, const ResolvedPool& config);

} // namespace usher
