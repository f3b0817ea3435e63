// SPDX-License-Identifier: MIT
#include "balancer/listen/unix_listener.hpp"

#include "common/sys/syscall.hpp"

#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher {

namespace {

/// Locks a folder until the result is closed, so that two masters cannot both find the same file
/// stale.
sys::UniqueFd lock(const std::filesystem::path& folder, FolderLocked locked)
{
    sys::UniqueFd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const int how = LOCK_EX | (locked == FolderLocked::fail ? LOCK_NB : 0);
    if (!fd || sys::retry_on_eintr([&] { return ::flock(fd.get(), how); }) < 0)
        throw std::system_error{sys::last_error(), folder.string()};
    return fd;
}

std::error_code bind_to(int fd, const sys::SocketAddress& address, std::optional<unsigned> mode)
{
    const auto saved = mode ? ::umask(static_cast<mode_t>(~*mode & 0777U)) : mode_t{0};
    const bool bound = ::bind(fd, address.data(), address.size()) == 0;
    const auto error = bound ? std::error_code{} : sys::last_error();
    if (mode)
        ::umask(saved);
    return error;
}

/// True if the path is a socket's and nobody listens on it any more.
bool is_stale_socket(const sys::SocketAddress& address)
{
    struct stat status {};
    if (::lstat(std::string{address.path()}.c_str(), &status) < 0 || !S_ISSOCK(status.st_mode))
        return false;

    const sys::UniqueFd probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!probe)
        throw std::system_error{sys::last_error(), address.to_string()};
    return ::connect(probe.get(), address.data(), address.size()) < 0 && errno == ECONNREFUSED;
}

} // namespace

ListeningSocket open_unix_listener(const std::string& path, std::optional<unsigned> mode,
                                   unsigned backlog, FolderLocked locked)
{
    const auto address = sys::SocketAddress::unix_path(path);
    sys::UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd)
        throw std::system_error{sys::last_error(), address.to_string()};

    const auto folder = std::filesystem::path{path}.parent_path();
    const auto held = lock(folder.empty() ? "." : folder, locked);

    auto error = bind_to(fd.get(), address, mode);
    if (error == std::errc::address_in_use && is_stale_socket(address)) {
        ::unlink(path.c_str());
        error = bind_to(fd.get(), address, mode);
    }
    if (error == std::errc::address_in_use)
        throw AddressInUse{address.to_string() +
                               ": another process listens there already, or the file is no socket",
                           address};
    if (error)
        throw std::system_error{error, address.to_string()};
    if (::listen(fd.get(), static_cast<int>(backlog)) < 0)
        throw std::system_error{sys::last_error(), address.to_string()};

    return {.fd = std::move(fd), .address = address, .file = SocketFile{path}};
}

} // namespace usher
