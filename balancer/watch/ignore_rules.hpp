// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// What of a folder that is watched does not matter: what editors, tools and usher itself write.
class IgnoreRules {
public:
    /// Names, as shell patterns, that are ignored wherever they are.
    [[nodiscard]] static std::span<const std::string_view> defaults() noexcept;

    /// `patterns` are the user's, besides the defaults: one without a slash is compared with the
    /// name of a file or folder, one with a slash with its path.  `outputs` are the log files of
    /// usher, as slot texts; a path that is not absolute is seen from `here`.
    IgnoreRules(const std::vector<std::string>& patterns, const std::vector<std::string>& outputs,
                std::string here);

    /// True if what happens to `path`, a file or folder in a folder that is watched, does not
    /// matter.
    [[nodiscard]] bool ignores(const std::string& path) const;

    friend bool operator==(const IgnoreRules&, const IgnoreRules&) = default;

private:
    [[nodiscard]] std::string absolute(const std::string& path) const;

    std::string here_;
    std::vector<std::string> names_;
    std::vector<std::string> paths_; ///< absolute
};

} // namespace usher
