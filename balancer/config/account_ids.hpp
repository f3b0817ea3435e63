// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>
#include <unistd.h>

namespace usher {

/// What `user`, `group` and `groups` stand for; what is not set stays the master's.
struct AccountIds {
    std::optional<uid_t> user;
    std::optional<gid_t> group;
    std::optional<std::vector<gid_t>> groups;
    std::map<std::string, std::string> variables; ///< of a login: HOME, USER, LOGNAME, SHELL

    /// True if the workers are another user's than the master.
    [[nodiscard]] bool is_other_user() const noexcept { return user && *user != ::geteuid(); }

    friend bool operator==(const AccountIds&, const AccountIds&) = default;
};

} // namespace usher
