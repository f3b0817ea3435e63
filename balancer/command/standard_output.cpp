// SPDX-License-Identifier: MIT
#include "balancer/command/standard_output.hpp"

#include "common/sys/syscall.hpp"

#include <cerrno>

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

} // namespace usher
