// SPDX-License-Identifier: MIT
#pragma once

namespace usher::test {

/// Whether nothing more can be watched in this process from now on, as when the user's
/// fs.epoll.max_user_watches are used up.  Linking this replaces epoll_ctl().
void refuse_watches(bool refusing) noexcept;

/// The same for folders and files, as when fs.inotify.max_user_watches are used up.  Linking this
/// replaces inotify_add_watch().
void refuse_folder_watches(bool refusing) noexcept;

} // namespace usher::test
