// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <system_error>

namespace usher {

/// Where commands show what they have to show, each at once: who reads it may be a program that
/// waits.  It remembers its first failure, after which it writes nothing more, and main() says so.
class StandardOutput {
public:
    /// Not `is_open`: whoever has started us has closed it.
    explicit StandardOutput(bool is_open) : is_open_{is_open} {}
    StandardOutput(const StandardOutput&) = delete;
    StandardOutput& operator=(const StandardOutput&) = delete;

    /// Waits where it has no room.
    void write(std::string_view text) noexcept;

    /// Who reads it can see what is written over, isatty(3), and colours, unless NO_COLOR
    /// (no-color.org) says otherwise.
    [[nodiscard]] bool is_terminal() const noexcept;
    [[nodiscard]] bool has_colours() const noexcept;

    [[nodiscard]] std::error_code error() const noexcept { return error_; }

private:
    bool is_open_;
    std::error_code error_;
};

} // namespace usher
