// SPDX-License-Identifier: MIT
#include "balancer/config/load.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/json/json_text.hpp"
#include "balancer/config/json/json_value.hpp"
#include "balancer/config/tables.hpp"
#include "balancer/config/units/limits.hpp"
#include "common/sys/fd/trusted_place.hpp"
#include "common/sys/process/trusted_user.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <fstream>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher {

namespace {

constexpr std::string_view example =
    R"({"pools": [{"command": ["./my-server"], "listen": "8000"}]})";

/// Root runs what the file says, so nobody else may be able to write it.
void check_writers(const std::filesystem::path& file)
{
    if (::geteuid() != 0)
        return;
    sys::Place place;
    const auto error = sys::find_place(file, place);
    struct stat status {};
    if (!error && place.strangers != sys::Strangers::change &&
        ::fstatat(place.folder.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0)
        return; // it cannot be read, for a reason of its own
    if (error == std::errc::too_many_symbolic_link_levels ||
        (!error && place.strangers == sys::Strangers::change))
        throw ConfigError{file.string(), "",
                          "is in a folder that others than root may write to, or below one, and "
                          "root would run what they write; take a folder of root's own"};
    // A descriptor of ours in /proc, or a device, which only root can make.
    if (error || S_ISLNK(status.st_mode) || S_ISCHR(status.st_mode))
        return;
    if (!sys::is_trusted_owner(status.st_uid) || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw ConfigError{file.string(), "",
                          "can be written by others than root, and root would run what they "
                          "write; chown it to root, and chmod it go-w"};
}

std::string read_file(const std::filesystem::path& file)
{
    check_writers(file);
    errno = 0;
    std::ifstream in{file, std::ios::binary};
    // One byte more than may be there, to see that it is too long.
    std::string text(largest_file + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!in.is_open() || in.bad())
        throw ConfigError{file.string(), "",
                          "cannot be read: " + std::generic_category().message(errno)};
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > largest_file)
        throw ConfigError{
            file.string(), "",
            fmt::format("is larger than {} KiB; make it smaller", largest_file / 1024)};
    return text;
}

} // namespace

Config load_config(const std::filesystem::path& file)
{
    return decode_config(read_file(file), file.string());
}

Config decode_config(std::string_view text, std::string_view file_name)
{
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
        throw ConfigError{file_name, "", fmt::format("is empty; begin with {}", example)};

    const nlohmann::json document = parse_json(text, file_name);
    const JsonValue root{document, file_name};

    std::string schema; // is for editors
    auto keys = config_table();
    keys.emplace_back(
        "$schema", [&](const Config&) -> auto& { return schema; }, usher::text());
    auto config = read_object(root, keys, "an object with \"pools\"");
    if (config.pools.empty())
        root.fail(fmt::format("has no \"pools\"; begin with {}", example));
    return config;
}

std::string dump_config(const Config& config)
{
    return write_object(config, config_table()).dump(2, ' ', false, Json::error_handler_t::replace);
}

} // namespace usher
