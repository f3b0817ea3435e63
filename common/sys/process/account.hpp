// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace usher::sys {

/// An entry of the user database.
struct User {
    std::string name;
    uid_t id;
    gid_t group;
    std::string home;
    std::string shell;
};

/// The user of that name or number; nothing if there is none.  May ask a server on the network.
///
/// Throws std::system_error if the database cannot be read.
[[nodiscard]] std::optional<User> find_user(const std::string& name);
[[nodiscard]] std::optional<User> find_user(uid_t id);

/// The number of the group of that name; nothing if there is none.  Like find_user().
[[nodiscard]] std::optional<gid_t> find_group(const std::string& name);

/// All groups of a user, its primary one included, as a login gives them.
[[nodiscard]] std::vector<gid_t> groups_of(const std::string& user, gid_t primary);

/// The supplementary groups of this process.  Throws std::system_error.
[[nodiscard]] std::vector<gid_t> own_groups();

/// True if this process has the capability(7) in effect, e.g. CAP_SETUID.
[[nodiscard]] bool has_capability(int capability) noexcept;

} // namespace usher::sys
