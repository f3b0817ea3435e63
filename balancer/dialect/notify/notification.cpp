// SPDX-License-Identifier: MIT
#include "balancer/dialect/notify/notification.hpp"

#include "common/text/one_line.hpp"

#include <algorithm>

namespace usher {

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
            result.status = on_one_line(line.substr(status.size()), longest_word);
    }
    return result;
}

} // namespace usher
