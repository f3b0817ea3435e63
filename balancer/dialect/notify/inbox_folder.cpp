// SPDX-License-Identifier: MIT
#include "balancer/dialect/notify/inbox_folder.hpp"

#include "common/sys/fd/trusted_place.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "common/sys/socket/socket_address.hpp"
#include "common/sys/syscall.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace usher {

namespace {

/// What nobody else calls theirs; with six characters that mkdtemp(3) chooses.
constexpr std::string_view prefix = "usher-inbox-";

/// Others may reach what they know the name of, and not see which names there are.
constexpr mode_t folder_mode = 0711;

/// A name in it, and the end.
constexpr std::size_t name_room = 22;

std::string variable(const char* name)
{
    const char* const value = std::getenv(name);
    const std::string text = value != nullptr ? value : "";
    return text.substr(0, text.find(':')); // systemd.exec(5): there may be several
}

std::vector<std::string> parents()
{
    std::vector<std::string> all{variable("RUNTIME_DIRECTORY")};
    if (::geteuid() == 0)
        all.emplace_back("/run");
    else
        all.push_back(variable("XDG_RUNTIME_DIR"));
    all.emplace_back("/tmp");
    return all;
}

std::vector<std::string> names_in(int folder)
{
    std::vector<std::string> names;
    const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> list{copy >= 0 ? ::fdopendir(copy) : nullptr,
                                                   ::closedir};
    while (const dirent* const entry = list ? ::readdir(list.get()) : nullptr)
        if (entry->d_name[0] != '.')
            names.emplace_back(entry->d_name);
    return names;
}

/// True for the file of a socket as make_socket() names it; a thread may have removed it by now.
bool is_inbox(int folder, const std::string& name)
{
    struct stat facts {};
    if (name.find_first_not_of("0123456789") != std::string::npos)
        return false;
    return ::fstatat(folder, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0
               ? S_ISSOCK(facts.st_mode)
               : errno == ENOENT;
}

/// The sockets in it, and it; nothing if there is something else, for then it is somebody else's.
void remove_folder(int parent, const std::string& name, int folder)
{
    const auto names = names_in(folder);
    if (!std::ranges::all_of(names, [&](const auto& each) { return is_inbox(folder, each); }))
        return;
    for (const auto& each : names)
        ::unlinkat(folder, each.c_str(), 0);
    ::unlinkat(parent, name.c_str(), AT_REMOVEDIR);
}

/// Null unless `name` is a folder that only a process like us has made, and whose owner is dead:
/// then it is locked.
sys::UniqueFd lock_if_left(int parent, const std::string& name)
{
    sys::UniqueFd folder{
        ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    struct stat facts {};
    const bool is_left = folder && ::fstat(folder.get(), &facts) == 0 &&
                         facts.st_uid == ::geteuid() && (facts.st_mode & 07777) == folder_mode &&
                         ::flock(folder.get(), LOCK_EX | LOCK_NB) == 0;
    return is_left ? std::move(folder) : sys::UniqueFd{};
}

void remove_left_behind(const std::string& parent)
{
    const sys::UniqueFd folder{::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder)
        return;
    for (const auto& name : names_in(folder.get()))
        if (name.starts_with(prefix) && name.size() == prefix.size() + 6)
            if (const auto left = lock_if_left(folder.get(), name))
                remove_folder(folder.get(), name, left.get());
}

} // namespace

/// Nobody who cleans up takes it for one that was left: it gets that mode once it is locked.
bool InboxFolder::make_in(const std::string& parent)
{
    if (parent.empty() || parent.front() != '/' ||
        parent.size() + prefix.size() + 7 + name_room > sizeof sockaddr_un{}.sun_path)
        return false;
    // Other users are to reach it, e.g. not below RuntimeDirectoryMode=0700 of systemd.exec(5), but
    // not to put another in its place.
    struct stat above {};
    sys::Place place;
    if (::geteuid() == 0 &&
        (::stat(parent.c_str(), &above) < 0 || (above.st_mode & S_IXOTH) == 0 ||
         sys::find_place(parent + "/.", place) || place.strangers == sys::Strangers::change))
        return false;
    std::string path = parent + '/' + std::string{prefix} + "XXXXXX";
    if (::mkdtemp(path.data()) == nullptr)
        return false;
    sys::UniqueFd folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!folder || ::flock(folder.get(), LOCK_EX | LOCK_NB) < 0 ||
        ::fchmod(folder.get(), folder_mode) < 0) {
        ::rmdir(path.c_str());
        return false;
    }
    path_ = std::move(path);
    lock_ = std::move(folder);
    return true;
}

void InboxFolder::make()
{
    for (const auto& parent : parents())
        if (make_in(parent))
            return remove_left_behind(parent);
    throw std::runtime_error{"no folder can be made for it in /run or /tmp"};
}

sys::UniqueFd InboxFolder::make_socket(uid_t user, SocketFile& file)
{
    // Without root's powers the file cannot be given to another user.
    if (user != ::geteuid() && ::geteuid() != 0)
        throw std::runtime_error{
            "usher is not root, so that it cannot let the worker's user alone send"};
    const std::lock_guard lock{mutex_};
    // Not by its name, which may be somebody else's folder by now.
    if (struct stat ours{}; !lock_ || ::fstat(lock_.get(), &ours) < 0 || ours.st_nlink == 0)
        make();
    const auto path = path_ + '/' + std::to_string(++last_name_);
    sys::UniqueFd socket;
    if (const auto error = sys::open_bound_socket(sys::SocketAddress::unix_path(path),
                                                  {.type = SOCK_DGRAM, .mode = 0600}, socket))
        throw std::system_error{error};
    file = SocketFile{path};
    if (!file) // somebody was faster
        throw std::system_error{std::make_error_code(std::errc::no_such_file_or_directory), path};
    if (user != ::geteuid() && ::lchown(path.c_str(), user, static_cast<gid_t>(-1)) < 0)
        throw std::system_error{sys::last_error()};
    return socket;
}

void InboxFolder::remove() noexcept
{
    const std::unique_lock lock{mutex_, std::try_to_lock};
    if (!lock || path_.empty())
        return;
    try {
        remove_folder(AT_FDCWD, path_, lock_.get());
    } catch (const std::bad_alloc&) { // NOLINT(bugprone-empty-catch)
        // The next one removes it.
    }
    path_.clear();
    lock_.reset();
}

} // namespace usher
