// SPDX-License-Identifier: MIT
#include "balancer/process/program_path.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <tuple>

#include <unistd.h>

namespace usher {

namespace {

namespace fs = std::filesystem;

/// Why `file` cannot be executed; empty if it can, as far as can be told without trying.
std::string obstacle(const fs::path& file)
{
    std::error_code error;
    const auto status = fs::status(file, error);
    if (!fs::exists(status))
        return error && error != std::errc::no_such_file_or_directory ? error.message()
                                                                      : "no such file";
    if (fs::is_directory(status))
        return "is a folder, not a program";
    if (!fs::is_regular_file(status))
        return "is not a file that can be executed";
    if (::access(file.c_str(), X_OK) < 0)
        return "is not executable (chmod +x makes it so)";
    return {};
}

} // namespace

std::string search_path(const std::vector<std::string>& environment)
{
    constexpr std::string_view name = "PATH=";
    for (const auto& variable : environment)
        if (variable.starts_with(name))
            return variable.substr(name.size());
    return "/usr/local/bin:/usr/bin:/bin";
}

std::string in_folder(const std::string& program, const std::string& folder)
{
    std::error_code error;
    const fs::path file{program};
    return folder.empty() || fs::equivalent(file.parent_path(), folder, error)
               ? program
               : (folder / file.filename()).string();
}

std::string find_program(const std::string& program, const std::string& cwd,
                         const std::string& path)
{
    if (program.find('/') != std::string::npos) {
        const auto seen_from_here = fs::path{cwd} / program;
        std::error_code error;
        std::ignore = fs::current_path(error);
        if (error && seen_from_here.is_relative())
            throw std::runtime_error{program +
                                     ": the folder that usher was started in has been removed"};
        // A folder that is missing is for the child's chdir() to report.
        if (const auto reason = obstacle(seen_from_here);
            !reason.empty() && (cwd.empty() || fs::is_directory(cwd)))
            throw std::runtime_error{program + ": " + reason};
        return program;
    }

    for (std::string_view rest = path;;) {
        const auto colon = rest.find(':');
        const auto folder = rest.substr(0, colon);
        const auto file = fs::path{cwd} / fs::path{folder.empty() ? "." : folder} / program;
        if (obstacle(file).empty())
            return fs::absolute(file).string();
        if (colon == std::string_view::npos)
            throw std::runtime_error{fmt::format(
                "{0}: no such program in PATH (a program in this folder is ./{0})", program)};
        rest.remove_prefix(colon + 1);
    }
}

std::string explain_exec_error(int error)
{
    switch (error) {
    case ENOEXEC:
        return "neither a program of this machine nor a script with a #! line";
    case ENOENT:
        return "the interpreter or loader it names does not exist";
    case EAGAIN:
        return "its user has as many processes as the limit \"nproc\" allows";
    default:
        return std::strerror(error);
    }
}

} // namespace usher
