// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

namespace usher::sys {

/// Owns one file descriptor and closes it.
///
/// In this project a raw `int` is always borrowed; ownership is always spelled `UniqueFd`.
class UniqueFd {
public:
    constexpr UniqueFd() noexcept = default;

    /// Takes ownership of `fd`; -1, the result of a failed call, makes an empty object.
    explicit constexpr UniqueFd(int fd) noexcept : fd_{fd} {}

    UniqueFd(UniqueFd&& other) noexcept : fd_{other.release()} {}

    UniqueFd& operator=(UniqueFd&& other) noexcept
    {
        reset(other.release());
        return *this;
    }

    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;

    ~UniqueFd() { reset(); }

    [[nodiscard]] constexpr int get() const noexcept { return fd_; }

    [[nodiscard]] explicit constexpr operator bool() const noexcept { return fd_ >= 0; }

    /// Gives up ownership without closing.
    [[nodiscard]] constexpr int release() noexcept { return std::exchange(fd_, -1); }

    /// Closes what it holds, then owns `fd`.  Keeps errno, so it is safe on every error path.
    void reset(int fd = -1) noexcept;

private:
    int fd_ = -1;
};

} // namespace usher::sys
