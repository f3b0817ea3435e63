// SPDX-License-Identifier: MIT
#include "common/sys/process/account.hpp"

#include "common/sys/syscall.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <type_traits>

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace usher::sys {

namespace {

/// What `make` makes of the entry that `call`, one of getpwnam_r(3) and its kin, finds for `key`;
/// nothing if there is no such entry.
template <typename Key, typename Entry, typename Make>
auto look_up(const char* database, int (*call)(Key, Entry*, char*, std::size_t, Entry**),
             std::type_identity_t<Key> key, Make make) -> std::optional<decltype(make(Entry{}))>
{
    Entry entry{};
    for (std::vector<char> buffer(1024);; buffer.resize(2 * buffer.size())) {
        Entry* found = nullptr;
        const int error = call(key, &entry, buffer.data(), buffer.size(), &found);
        switch (error) {
        case ERANGE:
        case EINTR:
            continue;
        case 0:
        case ENOENT: // these are what getpwnam(3) warns that a missing entry may look like
        case ESRCH:
        case EBADF:
        case EPERM:
            if (found == nullptr)
                return std::nullopt;
            return make(*found);
        default:
            throw std::system_error{{error, std::system_category()}, database};
        }
    }
}

User to_user(const passwd& entry)
{
    return {.name = entry.pw_name,
            .id = entry.pw_uid,
            .group = entry.pw_gid,
            .home = entry.pw_dir,
            .shell = entry.pw_shell};
}

} // namespace

std::optional<User> find_user(const std::string& name)
{
    return look_up("the user database", ::getpwnam_r, name.c_str(), to_user);
}

std::optional<User> find_user(uid_t id)
{
    return look_up("the user database", ::getpwuid_r, id, to_user);
}

std::optional<gid_t> find_group(const std::string& name)
{
    return look_up("the group database", ::getgrnam_r, name.c_str(),
                   [](const group& entry) { return entry.gr_gid; });
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
