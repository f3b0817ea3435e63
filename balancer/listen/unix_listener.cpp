// SPDX-License-Identifier: MIT
#include "balancer/listen/unix_listener.hpp"

#include "balancer/listen/socket_lock.hpp"
#include "common/async/closing_thread.hpp"
#include "common/sys/fd/trusted_place.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "common/sys/syscall.hpp"

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher {

namespace {

/// One that we are removing would be in the way.
constexpr std::chrono::milliseconds longest_removal{500};

/// Throws if other users than root can make the path another one's, and we are root.
void check_folder(const sys::SocketAddress& address)
{
    const std::string path{address.path()};
    const auto parent = std::filesystem::path{path}.parent_path();
    const auto folder = parent.empty() ? std::string{"."} : parent.string();
    sys::Place place;
    // The folder's own links, not one that has the socket's name.
    if (const auto error = sys::find_place(folder + "/.", place))
        throw std::system_error{error, address.to_string() + ": " + folder};
    if (::geteuid() == 0 && place.strangers == sys::Strangers::change)
        throw std::runtime_error{folder + ": other users may write to it, or to a folder above, so "
                                          "that root makes no socket there; take a folder of "
                                          "root's own, where nobody else may write or that is "
                                          "sticky, as /tmp"};
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
                                   unsigned backlog, sys::FileOwner owner,
                                   std::chrono::milliseconds patience)
{
    const auto address = sys::SocketAddress::unix_path(path);
    check_folder(address);
    // From before it is bound until it listens, so that no other master finds the file stale.
    const SocketLock lock{path, ".opening", "opens it at this moment", patience};

    const sys::BindOptions options{.backlog = backlog, .mode = mode};
    sys::UniqueFd fd;
    auto error = sys::open_bound_socket(address, options, fd);
    if (error == std::errc::address_in_use) {
        finish_elsewhere(longest_removal);
        error = sys::open_bound_socket(address, options, fd);
    }
    if (error == std::errc::address_in_use && is_stale_socket(address)) {
        ::unlink(path.c_str());
        error = sys::open_bound_socket(address, options, fd);
    }
    if (error == std::errc::address_in_use)
        throw AddressInUse{address.to_string() +
                               ": another process listens there already, or the file is no socket",
                           address};
    if (error)
        throw std::system_error{error, address.to_string()};
    SocketFile file{path, fd.get()};
    // Also what the umask has taken away of the mode.
    if (const auto refused = file.set_rights({.mode = mode, .owner = owner}))
        throw std::system_error{refused, address.to_string() +
                                             ": cannot be given to its \"owner\" and "
                                             "\"group\""};
    return {.fd = std::move(fd), .address = address, .file = std::move(file)};
}

} // namespace usher
