// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace usher {

/// The folder that usher was started in, by the name that people have for it: a link that leads to
/// the release of today may lead to another tomorrow, while this process stays where it is.
class LaunchFolder {
public:
    /// `name` is where relative paths are seen from; empty: where this process is.
    explicit LaunchFolder(std::string name = {});

    /// Where this process is: $PWD if it leads there, else its own path.
    [[nodiscard]] static LaunchFolder here();

    /// `path`, seen from the folder: as it stands for as long as the name leads to where this
    /// process is, or it is no link and has gone, as when the folder is renamed.  A link that leads
    /// nowhere is not passed over: where this process is may be a release of long ago.
    [[nodiscard]] std::string find(const std::string& path) const;

    /// What the folder `cwd` is at the moment, without links that may lead elsewhere later; empty:
    /// where this process is.  If it cannot be found it stays what it is, for whoever goes there
    /// to say.
    [[nodiscard]] std::string pin(const std::string& cwd) const;

private:
    [[nodiscard]] bool leads_elsewhere() const;

    std::string name_;
    bool has_link_; ///< in its name
};

/// The folder, without links, of a program that is named by an absolute path; empty for any other.
[[nodiscard]] std::string pin_program(const std::string& program);

} // namespace usher
