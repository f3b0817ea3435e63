// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <string>
#include <string_view>

namespace usher::worker::detail {

/// A text for the C library, which would take a zero byte for its end.
class Terminated {
public:
    explicit Terminated(std::string_view text) : text_{text} {}

    /// False, with errno, if there is a zero byte.
    explicit operator bool() const noexcept
    {
        if (text_.find('\0') == std::string::npos)
            return true;
        errno = EINVAL;
        return false;
    }

    [[nodiscard]] const char* text() const noexcept { return text_.c_str(); }

    /// Null if it is empty.
    [[nodiscard]] const char* text_or_null() const noexcept
    {
        return text_.empty() ? nullptr : text();
    }

private:
    std::string text_;
};

} // namespace usher::worker::detail
