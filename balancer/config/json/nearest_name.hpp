// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>

namespace usher {

/// The valid name that `name` most likely stands for: fewest letters inserted, deleted, replaced
/// or swapped with their neighbour, capitals ignored.  Empty if none is near.
[[nodiscard]] std::string_view nearest_name(std::string_view name,
                                            std::span<const std::string_view> valid);

} // namespace usher
