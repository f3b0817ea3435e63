// SPDX-License-Identifier: MIT
#pragma once

namespace usher::test {

/// Whether nothing more can be watched in this process from now on, as when the user's
/// fs.epoll.max_user_watches are used up.  Linking this replaces epoll_ctl().
void refuse_watches(bool refusing) noexcept;

} // namespace usher::test
