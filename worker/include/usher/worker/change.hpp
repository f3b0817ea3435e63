// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace usher::worker {

/// A change of the store; its texts live while it is told.
struct Change {
    std::string_view key;
    std::optional<std::string_view> value; ///< JSON; nothing if the key is gone
    std::uint64_t revision = 0;
    bool is_expired = false; ///< it is gone because its time was over
};

} // namespace usher::worker
