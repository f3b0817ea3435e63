// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/listen/socket_file.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <cstdint>
#include <mutex>
#include <string>

#include <sys/types.h>

namespace usher {

/// The folder of this process in which inboxes have their names, so that the kernel lets nobody
/// send there but the worker's user and root: `usher-inbox-XXXXXX` in $RUNTIME_DIRECTORY, /run (of
/// root), $XDG_RUNTIME_DIR or /tmp, the first where one can be made; of root, where other users can
/// reach it and not exchange it.
///
/// A lock on it says that its owner lives; what a dead one has left behind is removed when the next
/// one is made at the same place.  All of it may wait for a disk, so it is for helper threads, of
/// which several may come at once.
class InboxFolder {
public:
    InboxFolder() = default;
    InboxFolder(const InboxFolder&) = delete;
    InboxFolder& operator=(const InboxFolder&) = delete;
    ~InboxFolder() { remove(); }

    /// A datagram socket bound to a `file` of its own, to which `user` and root can send.  Makes
    /// the folder if there is none, or somebody has removed it.
    ///
    /// Throws std::runtime_error, which says why there can be none.
    [[nodiscard]] sys::UniqueFd make_socket(uid_t user, SocketFile& file);

    /// Removes the folder and what is in it, unless it is being used: then the next usher does.
    void remove() noexcept;

private:
    void make();
    [[nodiscard]] bool make_in(const std::string& parent);

    std::mutex mutex_;
    std::string path_;   ///< empty: there is none
    sys::UniqueFd lock_; ///< on it
    std::uint64_t last_name_ = 0;
};

} // namespace usher
