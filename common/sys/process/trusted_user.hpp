// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

namespace usher::sys {

/// True for root and for our own user.
///
/// In a user namespace all who have no number in it are shown as 65534 (user_namespaces(7)), so
/// that this one is trusted outside of them only.
[[nodiscard]] bool is_trusted_user(uid_t user) noexcept;

/// The same of whom a file or folder belongs to.  Who has no number in our user namespace is taken
/// for the root outside, to whom all that is above belongs.
[[nodiscard]] bool is_trusted_owner(uid_t user) noexcept;

} // namespace usher::sys
