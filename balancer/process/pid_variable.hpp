// SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <memory>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace usher {

/// An environment variable whose value is filled in between fork() and exec(): the number of the
/// very process that has it, which nobody knows before.
class PidVariable {
public:
    explicit PidVariable(std::string_view name)
        : value_at_{name.size() + 1}, text_{std::make_unique<char[]>(value_at_ + room)}
    {
        name.copy(text_.get(), name.size());
        text_[name.size()] = '=';
    }

    /// `NAME=`, and what was filled in.
    [[nodiscard]] const char* text() const noexcept { return text_.get(); }

    /// Async-signal-safe.
    void fill_in(pid_t process) const noexcept
    {
        char* const value = text_.get() + value_at_;
        *std::to_chars(value, value + room - 1, process).ptr = '\0';
    }

private:
    static constexpr std::size_t room = 12; ///< for the longest pid_t and the end

    std::size_t value_at_;
    std::unique_ptr<char[]> text_;
};

} // namespace usher
