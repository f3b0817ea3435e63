// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace usher::test {

/// Has `ab` make `requests`, each on a connection of its own and `clients` at a time, and checks
/// that none has failed.
void bombard(std::uint16_t port, int requests, int clients);

/// The same with `redis-benchmark`.
void bombard_redis(std::uint16_t port, int requests, int clients);

} // namespace usher::test
