// SPDX-License-Identifier: MIT
#pragma once

#include "common/wire/handoff.hpp"

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

namespace usher {

/// A hand-off packet for one worker, while it is put together.
class OutgoingPacket {
public:
    void clear() noexcept { count_ = 0; }

    /// `fd` is borrowed.  Needs count() < wire::max_handoff_records.
    void append(int fd, const wire::HandoffRecord& record) noexcept
    {
        assert(count_ < fds_.size());
        if (count_ == 0)
            listener_ = record.listener;
        wire::encode_record(std::span{bytes_}.subspan(size()).first<wire::handoff_record_size>(),
                            record);
        fds_[count_++] = fd;
        wire::encode_header(std::span{bytes_}.first<wire::handoff_header_size>(),
                            static_cast<std::uint16_t>(count_));
    }

    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint16_t listener() const noexcept { return listener_; } ///< the first one's
    [[nodiscard]] std::span<const int> fds() const noexcept
    {
        return std::span{fds_}.first(count_);
    }
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept
    {
        return std::span{bytes_}.first(size());
    }

private:
    [[nodiscard]] std::size_t size() const noexcept
    {
        return wire::handoff_header_size + count_ * wire::handoff_record_size;
    }

    std::size_t count_ = 0;
    std::uint16_t listener_ = 0;
    std::array<int, wire::max_handoff_records> fds_{};
    std::array<std::byte, wire::max_handoff_packet> bytes_{};
};

} // namespace usher
