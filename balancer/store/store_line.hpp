// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/store/store.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// The lines by which copies of a store follow it; see docs/worker-protocol.md.
namespace usher {

[[nodiscard]] std::string encode_set(std::string_view key, const Store::Entry& entry);
[[nodiscard]] std::string encode_change(const Store::Change& change);
[[nodiscard]] std::string encode_snapshot(std::uint64_t revision, std::size_t keys);
[[nodiscard]] std::string encode_synced(std::uint64_t revision);

} // namespace usher
