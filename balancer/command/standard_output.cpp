// SPDX-License-Identifier: MIT
#include "balancer/command/standard_output.hpp"

#include "common/sys/syscall.hpp"

#include <cerrno>
#include <cstdlib>
#include <string_view>

#include <poll.h>
#include <unistd.h>

namespace usher {

void StandardOutput::write(std::string_view text) noexcept
{
    if (!text.empty() && !is_open_)
        error_ = std::make_error_code(std::errc::bad_file_descriptor);
    while (!error_ && !text.empty()) {
        const auto written =
            sys::retry_on_eintr([&] { return ::write(STDOUT_FILENO, text.data(), text.size()); });
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) { // others that have the same pipe have made it so
            pollfd room{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
            ::poll(&room, 1, -1);
        } else {
            error_ = sys::last_error();
        }
    }
}

bool StandardOutput::is_terminal() const noexcept
{
    const char* const terminal = std::getenv("TERM");
    return is_open_ && ::isatty(STDOUT_FILENO) == 1 && terminal != nullptr &&
           std::string_view{terminal} != "dumb";
}

bool StandardOutput::has_colours() const noexcept
{
    const char* const none = std::getenv("NO_COLOR");
    return is_terminal() && (none == nullptr || *none == '\0');
}

} // namespace usher
