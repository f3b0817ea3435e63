// SPDX-License-Identifier: MIT
#include "balancer/output/log_file.hpp"

#include "common/async/back_off.hpp"
#include "common/async/shared_descriptor.hpp"
#include "common/sys/process/trusted_user.hpp"
#include "common/sys/syscall.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <thread>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher {

namespace {

using namespace std::chrono_literals;

/// The kernel ends a lease that nobody gives up after 45 s (/proc/sys/fs/lease-break-time).
constexpr auto longest_lease = 60s;

bool is_same_file(const struct stat& one, const struct stat& other) noexcept
{
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/// Opens the file at `place`, or makes it.  Where others may put names, theirs may stand for any
/// file: only one is taken that is nowhere else, and of whom the folder is or of somebody trusted.
std::error_code open_to_append(const sys::Place& place, sys::UniqueFd& out,
                               struct stat& file) noexcept
{
    constexpr int flags = O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;
    auto fd = place.open(flags | O_WRONLY, 0640);
    // A FIFO that nobody reads yet.  As a reader of our own we may open it, and fill it.
    if (!fd && errno == ENXIO)
        fd = place.open(flags | O_RDWR, 0640);
    struct stat folder {};
    if (!fd || ::fstat(fd.get(), &file) < 0 || ::fstat(place.folder.get(), &folder) < 0)
        return sys::last_error();
    const bool is_trusted = sys::is_trusted_owner(file.st_uid);
    const bool is_theirs = S_ISREG(file.st_mode) && file.st_uid == folder.st_uid;
    if (place.strangers != sys::Strangers::none &&
        (file.st_nlink != 1 || !(is_trusted || is_theirs)))
        return std::make_error_code(std::errc::operation_not_permitted);
    out = std::move(fd);
    return {};
}

/// True if `place` is one of our own descriptors, which is somebody else's open file then.
bool is_own_descriptor(const sys::Place& place) noexcept
{
    struct stat named {};
    struct stat ours {};
    return place.is_magic && ::fstat(place.folder.get(), &named) == 0 &&
           ::stat("/proc/self/fd", &ours) == 0 && is_same_file(named, ours);
}

/// Shares our own descriptor `name`.  One that is opened by its name in /proc would be another open
/// file, at its beginning, and a socket cannot be opened at all.
std::error_code share_descriptor(const std::string& name, sys::UniqueFd& out) noexcept
{
    int number = -1;
    std::from_chars(name.data(), name.data() + name.size(), number);
    const int flags = ::fcntl(number, F_GETFD);
    if (flags < 0)
        return sys::last_error();
    // Those that we have opened ourselves have this flag, what we were started with has not.
    if ((flags & FD_CLOEXEC) != 0 || (::fcntl(number, F_GETFL) & O_ACCMODE) == O_RDONLY)
        return std::make_error_code(std::errc::bad_file_descriptor);
    sys::UniqueFd fd{::fcntl(number, F_DUPFD_CLOEXEC, 0)};
    if (!fd)
        return sys::last_error();
    out = std::move(fd);
    return {};
}

std::size_t count_lines(std::string_view text) noexcept
{
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

/// What `error` means for a file that is to be opened, and what helps.
std::string_view remedy(std::error_code error) noexcept
{
    if (error == std::errc::operation_would_block)
        return ": somebody has a lease on it and does not give it up";
    if (error == std::errc::no_such_device_or_address)
        return ": a socket's file takes no lines; name a file, a FIFO or /dev/stdout";
    if (error == std::errc::bad_file_descriptor)
        return ": usher was started with no such descriptor that can be written to";
    return {};
}

std::string numbered(const std::string& name, unsigned number)
{
    return name + "." + std::to_string(number);
}

} // namespace

LogFile::LogFile(std::string path, Limits limits) : path_{std::move(path)}, limits_{limits}
{
    const auto end = std::chrono::steady_clock::now() + longest_lease;
    auto error = reopen();
    // A lease that somebody has on the file (fcntl(2)) ends without any event for us.
    for (BackOff pause{10ms, 1s};
         error == std::errc::operation_would_block && std::chrono::steady_clock::now() < end;
         error = reopen())
        std::this_thread::sleep_for(pause.next());
    if (error)
        throw std::system_error{error, path_ + std::string{remedy(error)}};
}

void LogFile::set_limits(Limits limits) noexcept
{
    limits_ = limits;
    rotate_at_ = limits.max_size;
}

std::error_code LogFile::reopen()
{
    sys::Place place;
    if (const auto error = sys::find_place(path_, place))
        return error;
    struct stat folder {};
    if (::fstat(place.folder.get(), &folder) < 0)
        return sys::last_error();
    place_ = std::move(place);
    {
        const std::lock_guard lock{identity_mutex_};
        identity_ = {.device = folder.st_dev, .folder = folder.st_ino, .name = place_.name};
    }
    return open();
}

LogFile::Identity LogFile::identity() const
{
    const std::lock_guard lock{identity_mutex_};
    return identity_;
}

std::error_code LogFile::open()
{
    struct stat status {};
    const bool is_shared = is_own_descriptor(place_);
    const auto error =
        is_shared ? share_descriptor(place_.name, fd_) : open_to_append(place_, fd_, status);
    is_behind_ = fd_ && error == std::errc::operation_would_block;
    if (error)
        return error;
    shared_ = is_shared;
    regular_ = S_ISREG(status.st_mode) && !place_.is_magic;
    rotate_at_ = limits_.max_size;
    torn_ = 0;
    end_line_ = false;
    return {};
}

std::uint64_t LogFile::size() const noexcept
{
    struct stat file {};
    return ::fstat(fd_.get(), &file) == 0 ? static_cast<std::uint64_t>(file.st_size) : 0;
}

/// False if something else has the file's name by now: a link, or the next file.
bool LogFile::is_at_its_place() const noexcept
{
    struct stat opened {};
    struct stat named {};
    return ::fstat(fd_.get(), &opened) == 0 &&
           ::fstatat(place_.folder.get(), place_.name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           is_same_file(opened, named);
}

std::error_code LogFile::rotate()
{
    if (!is_at_its_place()) {
        const auto error = reopen();
        if (!error && (!regular_ || size() < limits_.max_size))
            return {};
        // A link that somebody put there who must not: it is moved away, like a file.
        if (error && place_.strangers == sys::Strangers::none) {
            rotate_at_ = size() + limits_.max_size;
            return error;
        }
    }
    // Whatever goes wrong, the lines go on into the file that is open, and the next attempt is
    // made when as much again was written.
    rotate_at_ = size() + limits_.max_size;

    const int folder = place_.folder.get();
    const auto& name = place_.name;
    const auto rename = [&](const std::string& from, const std::string& to) {
        // ENOENT: somebody else has moved it away, which serves as well.
        return ::renameat(folder, from.c_str(), folder, to.c_str()) == 0 || errno == ENOENT;
    };
    unsigned free = 1; // the first number that no file has, or else the oldest one's
    while (free < limits_.max_files &&
           ::faccessat(folder, numbered(name, free).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        ++free;
    for (unsigned number = free; number > 1; --number)
        if (!rename(numbered(name, number - 1), numbered(name, number)))
            return sys::last_error();
    if (!rename(name, numbered(name, 1)))
        return sys::last_error();
    return open();
}

std::size_t LogFile::fitting(std::string_view lines) noexcept
{
    if (shared_)
        return SharedDescriptor::fitting(lines);
    if (!regular_)
        return lines.size();
    const auto size = this->size();
    if (size + limits_.max_size < rotate_at_) // it has been cut since it could not be renamed
        rotate_at_ = limits_.max_size;
    if (size + lines.size() <= rotate_at_)
        return lines.size();

    const std::uint64_t room = rotate_at_ - std::min(size, rotate_at_);
    const std::size_t end = lines.substr(0, room).rfind('\n');
    if (end != std::string_view::npos)
        return end + 1;
    // The rest of a line, or one that is longer than a whole file.
    return torn_ > 0 || size == 0 ? lines.find('\n') + 1 : 0;
}

LogFile::Result LogFile::write(std::string_view lines)
{
    Result result;
    while (result.taken < lines.size()) {
        const auto rest = lines.substr(result.taken);
        std::size_t size = fitting(rest);
        if (size == 0) {
            if (const auto error = rotate())
                result.error = error;
            size = std::max(fitting(rest), rest.find('\n') + 1);
        }

        // It was in another's hands when it was to be opened anew; each look takes no time.
        if (is_behind_)
            std::ignore = reopen();
        if (end_line_ && ::write(fd_.get(), "\n", 1) == 1)
            end_line_ = false;
        const auto written =
            sys::retry_on_eintr([&] { return ::write(fd_.get(), rest.data(), size); });
        if (written >= 0) {
            const auto done = rest.substr(0, static_cast<std::size_t>(written));
            const std::size_t end = done.rfind('\n');
            torn_ = end == std::string_view::npos ? torn_ + done.size() : done.size() - end - 1;
            result.taken += done.size();
            continue;
        }

        result.error = sys::last_error();
        if (result.error == std::errc::operation_would_block)
            return result;
        result.lost_lines += count_lines(rest.substr(0, size));
        result.taken += size;
        forget_torn_line();
        if (result.error == std::errc::broken_pipe && !shared_)
            std::ignore = reopen(); // the FIFO's reader may be back
    }
    return result;
}

void LogFile::wait()
{
    pollfd entry{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
    ::poll(&entry, 1, -1);
}

/// A line of which only the beginning was written is lost, and must not become the next one's.
void LogFile::forget_torn_line() noexcept
{
    if (torn_ == 0)
        return;
    struct stat status {};
    const bool taken_back = regular_ && ::fstat(fd_.get(), &status) == 0 &&
                            status.st_size >= static_cast<off_t>(torn_) &&
                            ::ftruncate(fd_.get(), status.st_size - static_cast<off_t>(torn_)) == 0;
    end_line_ = !taken_back;
    torn_ = 0;
}

} // namespace usher
