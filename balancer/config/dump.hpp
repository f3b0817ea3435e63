// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"

#include <string>

namespace usher {

/// The configuration with all its defaults as JSON, which decode_config() reads back as it was.
/// A pool without a command has no "command".  Bytes that are no UTF-8 are replaced.
///
/// Throws std::invalid_argument for an address that parse_listen_address() refuses.
[[nodiscard]] std::string dump_config(const Config& config);

} // namespace usher
