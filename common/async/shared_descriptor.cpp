// SPDX-License-Identifier: MIT
#include "common/async/shared_descriptor.hpp"

#include "common/sys/syscall.hpp"
#include "common/text/counted.hpp"

#include <tuple>

#include <poll.h>
#include <unistd.h>

namespace usher {

std::size_t SharedDescriptor::fitting(std::string_view lines) noexcept
{
    if (lines.size() <= PIPE_BUF)
        return lines.size();
    const auto last = lines.rfind('\n', PIPE_BUF - 1);
    return (last != std::string_view::npos ? last : lines.find('\n')) + 1;
}

LineWriter::Target::Result SharedDescriptor::write(std::string_view lines)
{
    lines = lines.substr(0, fitting(lines));
    const auto written =
        sys::retry_on_eintr([&] { return ::write(fd_, lines.data(), lines.size()); });
    if (written >= 0)
        return {.taken = static_cast<std::size_t>(written)};
    if (sys::last_error() == std::errc::operation_would_block) // others have made it non-blocking
        return {.error = sys::last_error()};
    return {.taken = lines.size()};
}

void SharedDescriptor::wait()
{
    pollfd entry{.fd = fd_, .events = POLLOUT, .revents = 0};
    ::poll(&entry, 1, -1);
}

void SharedDescriptor::on_given_up(std::size_t lines)
{
    std::ignore = write("usher: " + counted(lines, "line") +
                        " not written, because nobody read on in time\n");
}

} // namespace usher
