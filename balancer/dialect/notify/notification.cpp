// SPDX-License-Identifier: MIT
#include "balancer/dialect/notify/notification.hpp"

#include <algorithm>

namespace usher {

namespace {

/// Nothing in it can look like a line of the log.
std::string on_one_line(std::string_view text)
{
    constexpr std::size_t longest = 200;
    std::string result{text.substr(0, longest)};
    std::ranges::replace_if(
        result, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, ' ');
    return result;
}

} // namespace

Notification parse_notification(std::string_view text)
{
    constexpr std::string_view status = "STATUS=";
    Notification result;
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line == "READY=1")
            result.ready = true;
        else if (line == "STOPPING=1")
            result.stopping = true;
        else if (line == "WATCHDOG=1")
            result.watchdog = true;
        else if (line.starts_with(status))
            result.status = on_one_line(line.substr(status.size()));
    }
    return result;
}

} // namespace usher
