// SPDX-License-Identifier: MIT
#include "balancer/config/trusted_file.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/units/limits.hpp"
#include "common/sys/fd/trusted_place.hpp"
#include "common/sys/process/trusted_user.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher {

namespace {

/// Root runs what the file says, so nobody else may be able to write it.
void check_writers(const std::filesystem::path& file)
{
    if (::geteuid() != 0)
        return;
    sys::Place place;
    const auto error = sys::find_place(file, place);
    struct stat status {};
    if (!error && place.strangers != sys::Strangers::change &&
        ::fstatat(place.folder.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0)
        return; // it cannot be read, for a reason of its own
    if (error == std::errc::too_many_symbolic_link_levels ||
        (!error && place.strangers == sys::Strangers::change))
        throw ConfigError{file.string(), "",
                          "is in a folder that others than root may write to, or below one, and "
                          "root would run what they write; take a folder of root's own"};
    // A descriptor of ours in /proc, or a device, which only root can make.
    if (error || S_ISLNK(status.st_mode) || S_ISCHR(status.st_mode))
        return;
    if (!sys::is_trusted_owner(status.st_uid) || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw ConfigError{file.string(), "",
                          "can be written by others than root, and root would run what they "
                          "write; chown it to root, and chmod it go-w"};
}

/// What is none may keep who reads it waiting for ever.
void require_regular(const std::filesystem::path& file)
{
    struct stat status {};
    if (::stat(file.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
        throw ConfigError{file.string(), "", "is no regular file; name one"};
}

} // namespace

std::string read_trusted_file(const std::filesystem::path& file, FileKind kind)
{
    check_writers(file);
    if (kind == FileKind::regular)
        require_regular(file);
    errno = 0;
    std::ifstream in{file, std::ios::binary};
    // One byte more than may be there, to see that it is too long.
    std::string text(largest_file + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!in.is_open() || in.bad())
        throw ConfigError{file.string(), "",
                          "cannot be read: " + std::generic_category().message(errno)};
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > largest_file)
        throw ConfigError{
            file.string(), "",
            fmt::format("is larger than {} KiB; make it smaller", largest_file / 1024)};
    return text;
}

} // namespace usher
