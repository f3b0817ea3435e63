// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>

namespace usher::sys {

/// A shared, writable mapping of a file's first bytes; unmapped by the destructor.
class Mapping {
public:
    /// Maps `size` bytes of `fd`.  Throws std::system_error.
    Mapping(int fd, std::size_t size);

    [[nodiscard]] void* data() const noexcept { return data_.get(); }

private:
    struct Unmap {
        std::size_t size;
        void operator()(void* data) const noexcept;
    };

    std::unique_ptr<void, Unmap> data_;
};

} // namespace usher::sys
