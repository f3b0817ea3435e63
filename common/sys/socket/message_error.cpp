// SPDX-License-Identifier: MIT
#include "common/sys/socket/message_error.hpp"

#include <cerrno>
#include <string>

namespace usher::sys {

namespace {

class MessageErrorCategory final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "usher.message"; }

    [[nodiscard]] std::string message(int value) const override
    {
        switch (static_cast<MessageError>(value)) {
        case MessageError::peer_closed:
            return "the peer closed the socket";
        case MessageError::fds_dropped:
            return "no room for all descriptors of a packet (RLIMIT_NOFILE)";
        case MessageError::payload_truncated:
            return "packet longer than the buffer";
        }
        return "unknown message error " + std::to_string(value);
    }
};

} // namespace

std::error_code make_error_code(MessageError error) noexcept
{
    static const MessageErrorCategory category;
    return {static_cast<int>(error), category};
}

bool is_back_pressure(std::error_code error) noexcept
{
    return error == std::errc::operation_would_block || error == std::errc::no_buffer_space ||
           error == std::errc::not_enough_memory ||
           error == std::error_code{ETOOMANYREFS, std::system_category()};
}

} // namespace usher::sys
