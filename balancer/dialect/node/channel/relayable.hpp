// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/node_config.hpp"

#include <string_view>

namespace usher::node {

/// True if others can be sent `payload` as it is, which decode() has taken for the program's.  They
/// read all of it and obey a command of Node's own wherever in it that stands, while decode() looks
/// no further than it needs to.
[[nodiscard]] bool is_relayable(NodeConfig::Serialization serialization, std::string_view payload);

} // namespace usher::node
