// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

namespace usher::sys {

/// True for root and for our own user.
///
/// In a user namespace all who have no number in it are shown as 65534 (user_namespaces(7)), so
/// that this one is trusted outside of them only.
[[nodiscard]] bool is_trusted_user(uid_t user) noexcept;

} // namespace usher::sys
