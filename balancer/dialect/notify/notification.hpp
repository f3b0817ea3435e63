// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace usher {

/// What a program tells its service manager, sd_notify(3), as far as it concerns us.
struct Notification {
    bool ready = false;
    bool stopping = false;
    bool watchdog = false;
    std::optional<std::string> status; ///< one line for people, without control characters

    friend bool operator==(const Notification&, const Notification&) = default;
};

/// Reads lines of `NAME=VALUE`; what is unknown is passed over, as the protocol wants it.
[[nodiscard]] Notification parse_notification(std::string_view text);

} // namespace usher
