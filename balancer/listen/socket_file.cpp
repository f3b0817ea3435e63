// SPDX-License-Identifier: MIT
#include "balancer/listen/socket_file.hpp"

#include "balancer/listen/left_files.hpp"
#include "common/async/closing_thread.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/syscall.hpp"

#include <fmt/core.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <new>
#include <system_error>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher {

namespace {

using Identity = std::pair<dev_t, ino_t>; // zeros: it is no socket

Identity identity_of(const struct stat& status) noexcept
{
    return S_ISSOCK(status.st_mode) ? Identity{status.st_dev, status.st_ino} : Identity{};
}

Identity identity_of(const std::string& path) noexcept
{
    struct stat status {};
    return ::lstat(path.c_str(), &status) < 0 ? Identity{} : identity_of(status);
}

} // namespace

struct SocketFile::Bound {
    Bound(std::string its_path, const Identity& its_identity)
        : path{std::move(its_path)}, identity{its_identity}
    {
    }
    Bound(const Bound&) = delete;
    Bound& operator=(const Bound&) = delete;
    ~Bound()
    {
        remove();
        close_elsewhere(std::move(socket)); // with what those have sent who wait there
    }

    [[nodiscard]] bool is_there() const noexcept { return identity_of(path) == identity; }
    void remove() const noexcept
    {
        errno = 0; // even to look may fail
        const bool is_gone = is_there() ? ::unlink(path.c_str()) == 0 : errno == 0;
        const auto error = sys::last_error();
        if (!is_gone && error != std::errc::no_such_file_or_directory &&
            error != std::errc::not_a_directory && !is_said.exchange(true))
            say(error);
    }
    void say(std::error_code why) const noexcept
    try {
        left_files::add(fmt::format("unix:{}: the file cannot be removed: {}; whoever finds it is "
                                    "refused, so remove it",
                                    path, why.message()));
    } catch (const std::bad_alloc&) { // then nobody hears of it
    }

    std::string path;
    Identity identity;
    sys::UniqueFd socket; ///< closed after that
    mutable std::mutex mutex;
    mutable FileRights rights; ///< that were last asked for
    mutable std::atomic<bool> is_said = false;
};

SocketFile::SocketFile(std::string path, int socket)
{
    const auto identity = identity_of(path);
    if (identity == Identity{}) // it may be gone already, and what is there now is not ours
        return;
    auto bound = std::make_unique<Bound>(std::move(path), identity);
    if (socket >= 0) {
        bound->socket.reset(::fcntl(socket, F_DUPFD_CLOEXEC, 0));
        if (!bound->socket)
            sys::throw_last_error("fcntl");
    }
    bound_ = {bound.release(), [](const Bound* last) { do_elsewhere([last] { delete last; }); }};
}

const std::string& SocketFile::path() const noexcept
{
    return bound_->path;
}

void SocketFile::remove() const noexcept
{
    if (bound_)
        bound_->remove();
}

void SocketFile::remove_elsewhere() const noexcept
try {
    if (bound_)
        do_elsewhere([self = *this] { self.remove(); });
} catch (const std::bad_alloc&) { // NOLINT(bugprone-empty-catch)
}

bool SocketFile::is_there() const noexcept
{
    return bound_ && bound_->is_there();
}

bool SocketFile::is_lost() const noexcept
{
    struct stat status {};
    return bound_ && ::lstat(bound_->path.c_str(), &status) < 0 &&
           (errno == ENOENT || errno == ENOTDIR);
}

std::error_code SocketFile::set_rights(const FileRights& rights) const noexcept
{
    if (!bound_)
        return {};
    // Not by the path: whoever the file is given to may put a link in its place at any moment, also
    // in a sticky folder, and then these would be some other file's.
    const sys::UniqueFd file{::open(bound_->path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    if (!file)
        return rights.owner && errno != ENOENT ? sys::last_error() : std::error_code{};
    struct stat status {};
    if (::fstat(file.get(), &status) < 0 || identity_of(status) != bound_->identity)
        return {};
    const auto& [user, group] = rights.owner;
    constexpr auto same = static_cast<id_t>(-1);
    const bool refused = rights.owner && ::fchownat(file.get(), "", user.value_or(same),
                                                    group.value_or(same), AT_EMPTY_PATH) < 0;
    const auto error = refused ? sys::last_error() : std::error_code{};
    if (rights.mode) { // which fchmod(2) refuses for such a descriptor
        std::array<char, 32> name{};
        fmt::format_to_n(name.begin(), name.size() - 1, "/proc/self/fd/{}", file.get());
        ::chmod(name.data(), *rights.mode);
    }
    return error;
}

void SocketFile::set_rights_elsewhere(const FileRights& rights) const noexcept
try {
    if (!bound_ || rights == FileRights{})
        return;
    {
        const std::scoped_lock lock{bound_->mutex};
        bound_->rights = rights;
    }
    do_elsewhere([self = *this] {
        const auto asked = [&] {
            const std::scoped_lock lock{self.bound_->mutex};
            return self.bound_->rights;
        };
        FileRights set;
        do { // another thread may have set older ones meanwhile
            set = asked();
            std::ignore = self.set_rights(set);
        } while (!(set == asked()));
    });
} catch (const std::bad_alloc&) { // NOLINT(bugprone-empty-catch)
}

} // namespace usher
