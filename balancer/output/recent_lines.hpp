// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

namespace usher {

/// The last lines of many, the oldest first; long ones are shortened.
class RecentLines {
public:
    static constexpr std::size_t most_lines = 20;
    static constexpr std::size_t longest_line = 512;

    void add(std::string_view line)
    {
        if (lines_.size() == most_lines)
            lines_.pop_front();
        lines_.emplace_back(line.substr(0, longest_line));
    }

    [[nodiscard]] const std::deque<std::string>& lines() const noexcept { return lines_; }

private:
    std::deque<std::string> lines_;
};

} // namespace usher
