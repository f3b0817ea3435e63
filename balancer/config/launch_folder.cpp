// SPDX-License-Identifier: MIT
#include "balancer/config/launch_folder.hpp"

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

namespace usher {

namespace fs = std::filesystem;

LaunchFolder LaunchFolder::here()
{
    std::error_code error;
    const char* const said = std::getenv("PWD");
    if (said != nullptr && fs::path{said}.is_absolute() && fs::equivalent(said, ".", error))
        return LaunchFolder{said};
    return LaunchFolder{fs::current_path(error)}; // none if it has been removed
}

LaunchFolder::LaunchFolder(std::string name) : name_{std::move(name)}
{
    std::error_code error;
    has_link_ = !name_.empty() && fs::canonical(name_, error) != name_ && !error;
}

bool LaunchFolder::leads_elsewhere() const
{
    std::error_code error;
    return fs::is_directory(name_, error) ? !fs::equivalent(name_, ".", error) : has_link_;
}

std::string LaunchFolder::find(const std::string& path) const
{
    const bool is_relative = !path.empty() && fs::path{path}.is_relative();
    return is_relative && leads_elsewhere() ? (fs::path{name_} / path).string() : path;
}

std::string LaunchFolder::pin(const std::string& cwd) const
{
    std::error_code error;
    const fs::path wanted = fs::path{name_} / cwd; // which is alone if it is absolute
    const auto real = fs::canonical(wanted, error);
    if (error)
        return cwd.empty() && has_link_ ? name_ : find(cwd);
    // Where we are the worker is without entering it, which its user may not be allowed to.
    const auto own = fs::current_path(error);
    if (error)
        return real;
    if (real == own)
        return {};
    const auto below = real.lexically_relative(own);
    const bool is_below = !below.empty() && *below.begin() != "..";
    return is_below && fs::path{cwd}.is_relative() ? below : real;
}

std::string pin_program(const std::string& program)
{
    const fs::path file{program};
    std::error_code error;
    return file.is_absolute() ? fs::canonical(file.parent_path(), error).string() : std::string{};
}

} // namespace usher
