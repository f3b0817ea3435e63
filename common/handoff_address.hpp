// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/socket/socket_address.hpp"
#include "common/wire/handoff.hpp"

namespace usher {

/// The address as it stands in a hand-off record; a path is not carried, only the family.
[[nodiscard]] wire::Address to_wire(const sys::SocketAddress& address) noexcept;

} // namespace usher
