// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace usher::sys {

/// One thing that inotify(7) has to say.
struct InotifyEvent {
    int watch = -1;          ///< as add_folder_watch() has given it
    std::uint32_t mask = 0;  ///< IN_CREATE and so on
    std::string_view name{}; ///< in that folder; empty: of the folder itself
};

/// A descriptor that becomes readable when something happens in a folder that it watches:
/// close-on-exec, non-blocking.  Throws std::system_error.
[[nodiscard]] UniqueFd make_inotify();

/// Watches for files and folders in `folder` that appear, disappear or are written and closed.
/// May wait for a disk.  The same folder has the same number, also by another path; no number is
/// given twice.
[[nodiscard]] std::error_code add_folder_watch(int inotify, const std::string& folder, int& watch);

/// Ends that, if it has not ended by itself.
void remove_watch(int inotify, int watch) noexcept;

/// Reads what has happened; `events` is empty if nothing has.
[[nodiscard]] std::error_code read_inotify(int inotify, std::span<std::byte> buffer,
                                           std::span<const std::byte>& events);

/// The first of `events`, which is taken out of them; `events` must not be empty.  Borrows from
/// the buffer.
[[nodiscard]] InotifyEvent take_event(std::span<const std::byte>& events) noexcept;

} // namespace usher::sys
