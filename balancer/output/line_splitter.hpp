// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace usher {

/// Makes lines of bytes that arrive in whatever pieces.
///
/// A line that is longer than `longest` is cut, so that a worker that never ends its lines cannot
/// fill our memory.
class LineSplitter {
public:
    static constexpr std::size_t default_longest = 64UL * 1024;

    explicit LineSplitter(std::size_t longest = default_longest) noexcept : longest_{longest} {}

    /// Calls `on_line(line, cut)` for each line that `bytes` completes, without its end; `cut`
    /// means that the same line goes on in the next call.
    template <typename Handler>
    void feed(std::string_view bytes, Handler&& on_line)
    {
        while (!bytes.empty()) {
            // One more byte than fits: a line of just the longest length is not cut.
            const std::size_t room = longest_ - partial_.size();
            const std::size_t end = bytes.substr(0, room + 1).find('\n');
            const bool ends = end != std::string_view::npos;
            if (!ends && bytes.size() <= room) {
                partial_ += bytes;
                return;
            }
            emit(bytes.substr(0, ends ? end : room), !ends, on_line);
            bytes.remove_prefix(ends ? end + 1 : room);
        }
    }

    /// No more bytes will come: what is left is a line as well.
    template <typename Handler>
    void finish(Handler&& on_line)
    {
        if (!partial_.empty())
            emit({}, false, on_line);
    }

private:
    template <typename Handler>
    void emit(std::string_view rest, bool cut, Handler& on_line)
    {
        if (partial_.empty())
            return on_line(rest, cut);
        partial_ += rest;
        const auto line = std::exchange(partial_, {});
        on_line(std::string_view{line}, cut);
    }

    std::size_t longest_;
    std::string partial_;
};

} // namespace usher
