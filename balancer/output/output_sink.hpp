// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/condition.hpp"
#include "common/async/line_writer.hpp"

#include <string_view>

namespace usher {

/// Where lines of workers go.
class OutputSink {
public:
    OutputSink() = default;
    OutputSink(const OutputSink&) = delete;
    OutputSink& operator=(const OutputSink&) = delete;
    virtual ~OutputSink() = default;

    /// False if nothing further should be read now; room() is notified when that has changed.
    [[nodiscard]] virtual bool has_room() = 0;
    [[nodiscard]] virtual Condition& room() noexcept = 0;

    /// Takes whole lines.  Whoever did not ask has_room() before may find that they are dropped.
    virtual void write(std::string_view lines) = 0;
};

/// How many bytes a sink lets wait before it says that it has no room.
inline constexpr std::size_t sink_limit = 1024UL * 1024;

/// The most that may wait with what dead workers left behind, which is not asked whether it fits.
inline constexpr std::size_t sink_hard_limit = LineWriter::most_waiting;

} // namespace usher
