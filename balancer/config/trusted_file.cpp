// SPDX-License-Identifier: MIT
#include "balancer/config/trusted_file.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/units/limits.hpp"
#include "common/sys/fd/trusted_place.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/process/trusted_user.hpp"
#include "common/sys/syscall.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <cstddef>
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

} // namespace

std::string read_trusted_file(const std::filesystem::path& file, FileKind kind)
{
    const auto refuse = [&](const std::string& problem) {
        throw ConfigError{file.string(), "", problem};
    };
    const auto unreadable = [&] {
        refuse("cannot be read: " + std::generic_category().message(errno));
    };
    check_writers(file);
    // A FIFO may keep whoever opens it waiting for ever.
    const int flags = O_RDONLY | O_CLOEXEC | (kind == FileKind::any ? 0 : O_NONBLOCK);
    const sys::UniqueFd fd{sys::retry_on_eintr([&] { return ::open(file.c_str(), flags); })};
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) < 0)
        unreadable();
    if (kind == FileKind::regular && !S_ISREG(status.st_mode))
        refuse("is no regular file; name one");
    // One byte more than may be there, to see that it is too long.
    std::string text(largest_file + 1, '\0');
    std::size_t size = 0;
    const auto read_on = [&] {
        return sys::retry_on_eintr(
            [&] { return ::read(fd.get(), text.data() + size, text.size() - size); });
    };
    for (ssize_t count = 1; count > 0 && size < text.size();
         size += static_cast<std::size_t>(count)) {
        count = read_on();
        // Who has a FIFO open to write is waited for, such as what a shell has started for <(…);
        // without anybody there is end-of-file.
        if (count < 0 && errno == EAGAIN && ::fcntl(fd.get(), F_SETFL, 0) == 0)
            count = read_on();
        if (count < 0)
            unreadable();
    }
    text.resize(size);
    if (text.empty() && kind == FileKind::ready && S_ISFIFO(status.st_mode))
        refuse("is a FIFO that nobody writes to; name a file");
    if (text.size() > largest_file)
        refuse(fmt::format("is larger than {} KiB; make it smaller", largest_file / 1024));
    return text;
}

} // namespace usher
