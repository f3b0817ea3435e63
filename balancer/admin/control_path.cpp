// SPDX-License-Identifier: MIT
#include "balancer/admin/control_path.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include <unistd.h>

namespace usher {

namespace {

constexpr auto of_system = "/run/usher.sock";

std::string default_in(const char* runtime_folder)
{
    return runtime_folder != nullptr && *runtime_folder != '\0'
               ? std::string{runtime_folder} + "/usher.sock"
               : of_system;
}

/// In the folder that pam_systemd(8) makes.
std::string in_login_of(uid_t user)
{
    return fmt::format("/run/user/{}/usher.sock", user);
}

std::optional<uid_t> to_user(std::string_view text)
{
    uid_t user = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, user);
    return error == std::errc{} && rest == end ? std::optional{user} : std::nullopt;
}

} // namespace

ControlSurroundings ControlSurroundings::of_this_process()
{
    return {.runtime_folder = std::getenv("XDG_RUNTIME_DIR"),
            .sudo_user = std::getenv("SUDO_UID"),
            .user = ::geteuid()};
}

std::string default_control_path()
{
    return default_in(std::getenv("XDG_RUNTIME_DIR"));
}

std::vector<ControlPlace> control_places(const ControlSurroundings& surroundings)
{
    std::vector<ControlPlace> result;
    const auto add = [&](ControlPlace place) {
        if (std::ranges::find(result, place.path, &ControlPlace::path) == result.end())
            result.push_back(std::move(place));
    };
    add({.path = default_in(surroundings.runtime_folder)});
    if (surroundings.user == 0 && surroundings.sudo_user != nullptr) {
        if (const auto caller = to_user(surroundings.sudo_user))
            add({.path = in_login_of(*caller), .user = caller});
    } else {
        add({.path = in_login_of(surroundings.user)});
    }
    add({.path = of_system});
    return result;
}

} // namespace usher
