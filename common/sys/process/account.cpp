// SPDX-License-Identifier: MIT
#include "common/sys/process/account.hpp"

#include "common/sys/syscall.hpp"

#include <array>
#include <cerrno>
#include <cstddef>

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace usher::sys {

namespace {

/// Calls one of getpwnam_r(3) and its kin with a buffer that is large enough; null if there is no
/// such entry.
template <typename Entry, typename Call>
Entry* look_up(const char* name, Entry& entry, std::vector<char>& buffer, Call call)
{
    for (buffer.resize(1024);; buffer.resize(2 * buffer.size())) {
        Entry* found = nullptr;
        const int error = call(&entry, buffer.data(), buffer.size(), &found);
        switch (error) {
        case ERANGE:
        case EINTR:
            continue;
        case 0:
        case ENOENT: // these are what getpwnam(3) warns that a missing entry may look like
        case ESRCH:
        case EBADF:
        case EPERM:
            return found;
        default:
            throw std::system_error{{error, std::system_category()}, name};
        }
    }
}

template <typename Call>
std::optional<User> look_up_user(Call call)
{
    passwd entry{};
    std::vector<char> buffer;
    const passwd* const found = look_up("the user database", entry, buffer, call);
    if (found == nullptr)
        return std::nullopt;
    return User{.name = found->pw_name, .id = found->pw_uid, .group = found->pw_gid};
}

} // namespace

std::optional<User> find_user(const std::string& name)
{
    return look_up_user([&name](passwd* entry, char* buffer, std::size_t size, passwd** found) {
        return ::getpwnam_r(name.c_str(), entry, buffer, size, found);
    });
}

std::optional<User> find_user(uid_t id)
{
    return look_up_user([id](passwd* entry, char* buffer, std::size_t size, passwd** found) {
        return ::getpwuid_r(id, entry, buffer, size, found);
    });
}

std::optional<gid_t> find_group(const std::string& name)
{
    group entry{};
    std::vector<char> buffer;
    const group* const found =
        look_up("the group database", entry, buffer,
                [&name](group* result, char* space, std::size_t size, group** out) {
                    return ::getgrnam_r(name.c_str(), result, space, size, out);
                });
    if (found == nullptr)
        return std::nullopt;
    return found->gr_gid;
}

std::vector<gid_t> groups_of(const std::string& user, gid_t primary)
{
    std::vector<gid_t> groups(32);
    for (;;) {
        int count = static_cast<int>(groups.size());
        const bool fits = ::getgrouplist(user.c_str(), primary, groups.data(), &count) >= 0;
        groups.resize(static_cast<std::size_t>(count)); // otherwise: as many as it needs
        if (fits)
            return groups;
    }
}

std::vector<gid_t> own_groups()
{
    const int count = ::getgroups(0, nullptr);
    if (count < 0)
        throw_last_error("getgroups");
    std::vector<gid_t> groups(static_cast<std::size_t>(count));
    if (::getgroups(count, groups.data()) < 0)
        throw_last_error("getgroups");
    return groups;
}

bool has_capability(int capability) noexcept
{
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
    if (::syscall(SYS_capget, &header, data.data()) < 0)
        return false;
    const auto bit = static_cast<unsigned>(capability);
    return (data.at(bit / 32).effective & (1U << bit % 32)) != 0;
}

} // namespace usher::sys
