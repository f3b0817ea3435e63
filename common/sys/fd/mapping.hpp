// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <utility>

namespace usher::sys {

/// A shared, writable mapping of a file's first bytes; unmapped by the destructor.
class Mapping {
public:
    Mapping() noexcept = default;

    /// Maps `size` bytes of `fd`; `-1` makes an anonymous mapping.  Throws std::system_error.
    Mapping(int fd, std::size_t size);

    Mapping(Mapping&& other) noexcept
        : data_{std::exchange(other.data_, nullptr)}, size_{std::exchange(other.size_, 0)}
    {
    }

    Mapping& operator=(Mapping&& other) noexcept
    {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }

    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping();

    [[nodiscard]] void* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    void* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace usher::sys
