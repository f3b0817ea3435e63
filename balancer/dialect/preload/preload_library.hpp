// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace usher {

/// Where libusher-preload.so is: beside this program in the tree it was built in, otherwise where
/// it is installed.
///
/// Throws std::runtime_error that names both places if it is in neither.
[[nodiscard]] std::string find_preload_library();

} // namespace usher
