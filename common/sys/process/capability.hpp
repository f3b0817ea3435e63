// SPDX-License-Identifier: MIT
#pragma once

namespace usher::sys {

/// True if this process may do what `capability`, a CAP_* of linux/capability.h, allows
/// (capabilities(7)).
[[nodiscard]] bool has_capability(unsigned capability) noexcept;

} // namespace usher::sys
