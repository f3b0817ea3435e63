// SPDX-License-Identifier: MIT
#include "common/sys/fd/trusted_place.hpp"

#include "common/sys/process/trusted_user.hpp"
#include "common/sys/syscall.hpp"

#include <algorithm>
#include <array>
#include <climits>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace usher::sys {

namespace {

/// Who may change the names in a folder.  Access lists show as permissions of the group (acl(5)).
Strangers strangers_of(const struct stat& folder) noexcept
{
    if (!is_trusted_owner(folder.st_uid))
        return Strangers::change;
    if ((folder.st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return Strangers::none;
    return (folder.st_mode & S_ISVTX) != 0 ? Strangers::add : Strangers::change;
}

/// True for the links in /proc/PID/fd, whose text is no path.
bool is_magic(int folder) noexcept
{
    struct statfs system {};
    return ::fstatfs(folder, &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
}

} // namespace

UniqueFd Place::open(int flags, mode_t mode) const noexcept
{
    // Where nobody else makes links there is none left but a magic one.
    const int follow = strangers == Strangers::none ? 0 : O_NOFOLLOW;
    return UniqueFd{::openat(folder.get(), name.c_str(), flags | follow | O_CLOEXEC, mode)};
}

std::error_code find_place(const std::string& path, Place& out)
{
    constexpr int folder_flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    std::string rest = path;
    bool changeable = false; // a folder on the way, and with it all that is below
    int links_left = 40;     // as the kernel

    out.is_magic = false;
    out.folder.reset(::open(rest.starts_with('/') ? "/" : ".", folder_flags));
    for (;;) {
        struct stat status {};
        if (!out.folder || ::fstat(out.folder.get(), &status) < 0)
            return last_error();
        out.strangers = strangers_of(status);
        changeable = changeable || out.strangers == Strangers::change;
        if (changeable)
            out.strangers = Strangers::change;

        rest.erase(0, rest.find_first_not_of('/'));
        const auto end = std::min(rest.find('/'), rest.size());
        out.name = rest.substr(0, end);
        rest.erase(0, end);
        if (out.name.empty())
            return std::make_error_code(std::errc::is_a_directory);
        const bool last = rest.empty();

        const UniqueFd entry{
            ::openat(out.folder.get(), out.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
        if (!entry && errno == ENOENT && last)
            return {};
        if (!entry || ::fstat(entry.get(), &status) < 0)
            return last_error();
        if (S_ISLNK(status.st_mode)) {
            out.is_magic = last && is_magic(out.folder.get());
            if (out.is_magic)
                return {};
            if (changeable || !is_trusted_owner(status.st_uid) || links_left-- == 0)
                return std::make_error_code(std::errc::too_many_symbolic_link_levels);
            std::array<char, PATH_MAX> text;
            const auto size = ::readlinkat(entry.get(), "", text.data(), text.size());
            if (size < 0)
                return last_error();
            rest.insert(0, text.data(), static_cast<std::size_t>(size));
            if (rest.starts_with('/'))
                out.folder.reset(::open("/", folder_flags));
            continue;
        }
        if (last)
            return {};
        out.folder.reset(::openat(out.folder.get(), out.name.c_str(), folder_flags));
    }
}

} // namespace usher::sys
