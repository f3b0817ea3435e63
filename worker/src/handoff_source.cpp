// SPDX-License-Identifier: MIT
#include "handoff_source.hpp"

#include "common/sys/fd/fd_headroom.hpp"

#include <utility>

namespace usher::worker {

void HandoffSource::drop_buffered() noexcept
{
    message_.fds.clear();
    next_ = count_ = 0;
}

std::error_code HandoffSource::take(int socket, IncomingConnection& connection)
{
    if (!has_buffered())
        if (const auto error = receive(socket))
            return error;

    connection.fd = std::move(message_.fds[next_]);
    connection.record = records_[next_];
    ++next_;
    return {};
}

bool HandoffSource::has_headroom(int socket)
{
    static_assert(sys::FdReserve::packet >= wire::max_handoff_records);
    if (reserve_.is_known())
        return true;

    // Not by receiving with MSG_PEEK, which copies the descriptors: the master may take the packet
    // back before it is consumed, and then two workers hold the same connection.
    std::array<std::byte, wire::handoff_header_size> start;
    std::size_t size = 0;
    if (sys::peek_message(socket, start, size))
        return true; // nothing there: receive() will say what
    const auto header = wire::decode_header(std::span{start}.first(size));
    return !header || reserve_.look() || sys::has_fd_headroom(socket, header->count);
}

std::error_code HandoffSource::receive(int socket)
{
    next_ = count_ = 0;
    if (!has_headroom(socket))
        return std::make_error_code(std::errc::too_many_files_open);
    if (const auto error = sys::recv_with_fds(socket, buffer_, message_))
        return error == sys::MessageError::fds_dropped
                   ? std::make_error_code(std::errc::too_many_files_open)
                   : error;

    const auto packet = wire::HandoffPacket::parse(std::span{buffer_}.first(message_.size));
    if (!packet || packet->count() != message_.fds.size()) {
        message_.fds.clear();
        return std::make_error_code(std::errc::bad_message);
    }

    for (std::size_t i = 0; i < packet->count(); ++i) {
        records_[i] = packet->record(i);
        reserve_.note(message_.fds[i].get());
    }
    count_ = packet->count();
    return {};
}

} // namespace usher::worker
