// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/file_owner.hpp"

#include <memory>
#include <optional>
#include <string>
#include <system_error>

namespace usher {

/// Who may do what with a file; what is not set stays as it is.
struct FileRights {
    std::optional<unsigned> mode{};
    sys::FileOwner owner{};

    friend bool operator==(const FileRights&, const FileRights&) = default;
};

/// The file that a Unix socket is bound to, and whoever has a copy of this shares it.  With the
/// last one it is removed, unless by then the path is somebody else's: on a thread, since that may
/// wait for a disk; see do_elsewhere().  What cannot be removed is in left_files.
class SocketFile {
public:
    SocketFile() noexcept = default;

    /// `path` is bound now, to `socket`: that one stays open until the file is gone, whoever closes
    /// it.  So nobody takes the file for one that was left behind, and the kernel gives its inode
    /// number to no other, by which we know it.  -1: nobody else makes files there.
    ///
    /// Throws std::system_error if there is no descriptor left; then the file is removed.
    explicit SocketFile(std::string path, int socket = -1);

    /// False if there was no socket at the path, or none is given.
    [[nodiscard]] explicit operator bool() const noexcept { return bound_ != nullptr; }

    /// Needs a file.
    [[nodiscard]] const std::string& path() const noexcept;

    /// Removes the file, as far as it is there, whoever else shares it.  May wait for a disk.
    void remove() const noexcept;

    /// The same on a thread; see do_elsewhere().  Without memory it is removed with the last copy.
    void remove_elsewhere() const noexcept;

    /// True if the path still is this file's.  May wait for a disk.
    [[nodiscard]] bool is_there() const noexcept;

    /// True if somebody has removed it, and there is nothing in its place: then nobody finds the
    /// socket.  May wait for a disk.
    [[nodiscard]] bool is_lost() const noexcept;

    /// Changes the file's rights, as far as it is there; returns why its owner is not changed.  May
    /// wait for a disk.
    std::error_code set_rights(const FileRights& rights) const noexcept;

    /// The same on a thread; see do_elsewhere().  Without memory they stay as they are.
    void set_rights_elsewhere(const FileRights& rights) const noexcept;

private:
    struct Bound;

    std::shared_ptr<const Bound> bound_;
};

} // namespace usher
