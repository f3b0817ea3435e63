// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/close_fds.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <span>

namespace usher {

/// Owns the connections of one accept batch until they are handed off, in the order they came,
/// and closes them with as few system calls as their numbers allow.
class FdBatch {
public:
    static constexpr std::size_t capacity = 64;

    FdBatch() noexcept = default;
    FdBatch(const FdBatch&) = delete;
    FdBatch& operator=(const FdBatch&) = delete;
    ~FdBatch() { close(); }

    [[nodiscard]] bool is_full() const noexcept { return size_ == capacity; }

    void push(sys::UniqueFd fd) noexcept
    {
        assert(!is_full());
        fds_[size_++] = fd.release();
    }

    /// Takes `fd`, which must be in the batch, out of it.
    [[nodiscard]] sys::UniqueFd take(int fd) noexcept
    {
        const auto end = fds_.begin() + static_cast<std::ptrdiff_t>(size_);
        const auto found = std::find(fds_.begin(), end, fd);
        assert(found != end);
        std::copy(found + 1, end, found);
        --size_;
        return sys::UniqueFd{fd};
    }

    void close() noexcept
    {
        sys::close_fds(std::span{fds_}.first(size_));
        size_ = 0;
    }

private:
    std::array<int, capacity> fds_{};
    std::size_t size_ = 0;
};

} // namespace usher
