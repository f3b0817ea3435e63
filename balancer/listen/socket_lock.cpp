// SPDX-License-Identifier: MIT
#include "balancer/listen/socket_lock.hpp"

#include "balancer/listen/listening_socket.hpp"
#include "common/async/back_off.hpp"
#include "common/sys/process/trusted_user.hpp"
#include "common/sys/syscall.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher {

namespace {

/// Opens or makes the file.
///
/// The folder may be everybody's, such as /tmp, so whatever somebody else put there is not
/// followed, not waited for and not written to.
sys::UniqueFd open_lock_file(const std::string& socket_path, const std::string& path)
{
    sys::UniqueFd fd{
        ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600)};
    if (!fd) {
        const auto error = sys::last_error();
        if (error == std::errc::too_many_symbolic_link_levels)
            throw std::runtime_error{path +
                                     ": is a symbolic link, but must be a file of ours; remove it"};
        if (error == std::errc::is_a_directory || error == std::errc::no_such_device_or_address)
            throw std::runtime_error{
                fmt::format("{}: is a {}, but must be a file of ours; remove it", path,
                            error == std::errc::is_a_directory ? "folder" : "socket")};
        const auto parent = std::filesystem::path{path}.parent_path();
        const auto folder = parent.empty() ? std::string{"."} : parent.string();
        if (error == std::errc::permission_denied &&
            ::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) < 0)
            throw std::system_error{error,
                                    fmt::format("{}: usher's user (uid {}) may make no file in {}",
                                                socket_path, ::geteuid(), folder)};
        throw std::system_error{error, path};
    }

    struct stat status {};
    if (::fstat(fd.get(), &status) < 0)
        throw std::system_error{sys::last_error(), path};
    if (!S_ISREG(status.st_mode) || status.st_nlink > 1)
        throw std::runtime_error{path + ": is no file of ours alone; remove it"};
    if (!sys::is_trusted_user(status.st_uid))
        throw std::runtime_error{
            fmt::format("{}: belongs to user {}; remove it", path, status.st_uid)};
    return fd;
}

/// False if the path is another file's by now, or nobody's: its last owner has removed it.
bool is_named(int fd, const std::string& path) noexcept
{
    struct stat opened {
    }, named{};
    return ::fstat(fd, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
           opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

/// What the owner writes into the file, for the error alone: its number, and what tells it from
/// those of other containers that have the same one.
const std::string& own_text()
{
    static const auto text = fmt::format("{} {:x}\n", ::getpid(), std::random_device{}());
    return text;
}

/// Who holds the lock, as far as it has said so yet.
std::string owner_of(int fd)
{
    std::array<char, 32> text{};
    const auto size = sys::retry_on_eintr([&] { return ::pread(fd, text.data(), text.size(), 0); });
    const std::string_view read{text.data(), static_cast<std::size_t>(std::max(size, ssize_t{0}))};
    if (read == own_text()) // for somebody whose disk does not answer
        return "this usher itself";
    pid_t pid = 0;
    std::from_chars(read.data(), read.data() + read.size(), pid);
    return pid > 0 ? fmt::format("another usher (pid {})", pid) : "another usher";
}

} // namespace

SocketLock::SocketLock(const std::string& socket_path, std::string_view suffix,
                       std::string_view does, std::chrono::milliseconds patience)
    : path_{socket_path + std::string{suffix}}
{
    const auto end = std::chrono::steady_clock::now() + patience;
    BackOff pause{std::chrono::milliseconds{1}, std::chrono::milliseconds{50}};
    for (;;) {
        fd_ = open_lock_file(socket_path, path_);
        if (sys::retry_on_eintr([&] { return ::flock(fd_.get(), LOCK_EX | LOCK_NB); }) < 0) {
            const auto error = sys::last_error();
            if (error != std::errc::operation_would_block)
                throw std::system_error{error, path_};
            if (std::chrono::steady_clock::now() < end) {
                std::this_thread::sleep_for(pause.next()); // to wait in flock(2) has no end
                continue;
            }
            throw AddressInUse{fmt::format("{}: {} {}", socket_path, owner_of(fd_.get()), does)};
        }
        if (is_named(fd_.get(), path_))
            break;
    }
    // Only for the message above, so it is no failure if it does not work.
    const auto& text = own_text();
    if (::ftruncate(fd_.get(), 0) == 0)
        std::ignore = ::pwrite(fd_.get(), text.data(), text.size(), 0);
}

bool SocketLock::is_there() const noexcept
{
    return is_named(fd_.get(), path_);
}

SocketLock::~SocketLock()
{
    // While it is locked: whoever has opened the file meanwhile sees that the path is no longer
    // its name, and begins anew.
    if (is_named(fd_.get(), path_))
        ::unlink(path_.c_str());
}

} // namespace usher
